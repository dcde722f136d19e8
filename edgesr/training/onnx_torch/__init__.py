"""ONNX graphs as PyTorch modules that gradients flow through."""

from edgesr.training.onnx_torch.graph import OnnxModule

__all__ = ["OnnxModule"]
