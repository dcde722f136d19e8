"""The networks. Nothing here imports a converter, a quantizer or a runtime."""

from edgesr.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgesr.models.config import PRESETS, HIMEConfig
from edgesr.models.hime import HIME

__all__ = ["HIME", "PRESETS", "Checkpoint", "HIMEConfig", "load_checkpoint", "save_checkpoint"]
