"""What lies in a checkpoint's folder and what its ``config.json`` says; neither PyTorch nor weights are loaded here."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from edgesr.errors import CheckpointError
from edgesr.files.leftovers import recover
from edgesr.files.places import expanded
from edgesr.files.reading import open_plain
from edgesr.models.architecture import NetworkConfig
from edgesr.models.registry import FIRST, PRESETS, architecture_named, in_training, preset

FORMAT_VERSION = 1
WEIGHTS, CONFIG = "model.safetensors", "config.json"
IN_RUN = "checkpoint"
"""The checkpoint's folder inside that of a training run."""
LEAST_STEP, MOST_STEP = 2.0**-40, 2.0**40
"""Bounds of a feature scale: what a gallery can store."""
MOST_BYTES = 16 << 20
"""The most bytes of a configuration."""
SHIPPED = Path(__file__).parent.parent / "checkpoints"


LONGEST_NAME = 100
"""Bytes of a network's name: files and galleries' feature spaces are called after it."""


def is_name(name: Any) -> bool:
    """Whether a network may be called so: text that prints, without slashes, not hidden, and not too long."""
    if not isinstance(name, str) or not 0 < len(name.encode(errors="replace")) <= LONGEST_NAME:
        return False
    return name.isprintable() and not name.startswith(".") and "/" not in name and "\\" not in name


NAMES = f"up to {LONGEST_NAME} bytes that print, without slashes, not beginning with a dot"
"""What ``is_name`` asks for, as a hint."""


@dataclasses.dataclass(frozen=True)
class Description:
    """What ``config.json`` says of a network; the fields are those of ``Checkpoint``."""

    name: str
    config: NetworkConfig
    feature_space: str
    feature_scales: dict[str, float]
    training: dict[str, Any]
    quantization: dict[str, Any] | None


def trained_for(training: dict[str, Any]) -> str:
    """What a network's LR faces were made with in training, as its record says; ``bicubic`` where it says nothing."""
    config = training.get("train_config")
    found = config.get("degradation") if isinstance(config, dict) else None
    return found if isinstance(found, str) else "bicubic"


def shipped_names() -> list[str]:
    """Checkpoints that come with the package."""
    return sorted(p.parent.name for p in SHIPPED.glob(f"*/{CONFIG}"))


def find_checkpoint(name_or_path: str | Path, *, presets: bool = False) -> Path:
    """The folder of a shipped checkpoint by name, or of any other by path: its folder or its weights file, or the
    folder of a training run, which holds it.

    Raises:
        CheckpointError: there is none; with what there is, where ``presets`` would do those without weights too.
    """
    path = expanded(name_or_path)
    if path.name == WEIGHTS:
        path = path.parent
    for folder in (path, path / IN_RUN):
        recover(folder)
        if (folder / CONFIG).is_file():
            return folder
    shipped = SHIPPED / str(name_or_path)
    if "/" not in str(name_or_path) and (shipped / CONFIG).is_file():
        return shipped
    choice = f"shipped: {', '.join(shipped_names()) or 'none'}; or give a folder with {WEIGHTS} and {CONFIG}"
    if path.exists():
        raise CheckpointError(f"{path} is no checkpoint: it has no {CONFIG}", choice)
    if preset(str(name_or_path)):
        what = f"no weights of {name_or_path} come with edgesr"
        some = in_training(str(name_or_path)) or f"train some: edgesr train FOLDER --network {name_or_path}"
        raise CheckpointError(what, f"{some}; {choice}")
    if presets:
        choice += f"; presets without weights: {', '.join(name for name in PRESETS if name not in shipped_names())}"
    raise CheckpointError(f"no checkpoint {str(name_or_path)!r}", choice)


def untrained(name_or_path: str | Path) -> NetworkConfig | None:
    """The preset that a name means where there are no weights of that name; None for a checkpoint's name or path."""
    name = str(name_or_path)
    if name in shipped_names() or expanded(name_or_path).exists():
        return None
    return preset(name)


def describe(name_or_path: str | Path) -> Description:
    """``read_description`` of a checkpoint by name or path, or of a preset without weights what there is to say.

    Raises:
        CheckpointError: there is neither, or the description is damaged.
    """
    config = untrained(name_or_path)
    if config is None:
        return read_description(find_checkpoint(name_or_path, presets=True))
    return Description(str(name_or_path), config, "", {}, {}, None)


def read_description(folder: Path) -> Description:
    """What a checkpoint's ``config.json`` says; its weights are not looked at.

    Raises:
        CheckpointError: missing, damaged, incomplete, or of another version or architecture.
    """
    path = folder / CONFIG
    described = _read_config(path)
    quantization = described.get("quantization")
    if quantization is not None and not isinstance(quantization, dict):
        raise CheckpointError(f"{path} is damaged: its quantization is no object", "take the checkpoint anew")
    try:
        architecture = architecture_named(described.get("architecture", FIRST))
    except CheckpointError as error:
        raise CheckpointError(f"{error.what} in {path}", error.hint) from error
    try:
        config = architecture.config.from_dict(described["model"])
        feature_space, scales = str(described["feature_space"]), described.get("feature_scales", {})
        feature_scales = {part: float(scales[part]) for part in config.interface.parts} if scales else {}
        if not all(LEAST_STEP <= step <= MOST_STEP for step in feature_scales.values()):
            raise ValueError(f"feature_scales are {feature_scales}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"{path} is incomplete: {error!r}", "take the checkpoint anew") from error
    name, training = described.get("name", folder.resolve().name), described.get("training", {})
    if not isinstance(training, dict):
        raise CheckpointError(f"{path} is damaged: its training is no object", "take the checkpoint anew")
    if not is_name(name):
        raise CheckpointError(f"{path} calls its network {name!r:.60}", f"a name is {NAMES}")
    return Description(name, config, feature_space, feature_scales, training, quantization)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open_plain(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_config(path: Path) -> dict[str, Any]:
    try:
        with open_plain(path) as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES >> 20} MiB")
        described = json.loads(content)
        json.dumps(described, ensure_ascii=False).encode()  # no halves of surrogate pairs: they cannot be printed
    except (OSError, ValueError, RecursionError) as error:
        why = str(error).encode("ascii", "replace").decode()
        raise CheckpointError(f"cannot read {path}: {why}", "take the checkpoint anew") from error
    if not isinstance(described, dict) or described.get("format") != "edgesr-checkpoint":
        raise CheckpointError(f"{path} does not describe an edgesr checkpoint")
    if described.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {described.get('format_version')!r}",
            f"this edgesr reads version {FORMAT_VERSION}: update edgesr",
        )
    return described
