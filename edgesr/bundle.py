"""Bundles: a folder with a converted network, its ``manifest.json`` and golden vectors.

Every file is checked against the manifest's SHA-256 before anything of it is loaded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.numpy

from edgesr.atomic import folder_aside
from edgesr.errors import BundleError, UsageError
from edgesr.models.checkpoint import sha256_of
from edgesr.models.config import HIMEConfig
from edgesr.runtime.base import Array, Runtime

FORMAT_VERSION = 1
MANIFEST, GOLDEN = "manifest.json", "golden.safetensors"
GOLDEN_VECTORS = (
    "encode.in.exemplar",
    "encode.out.features",
    "restore.in.lr",
    "restore.in.features",
    "restore.in.valid",
    "restore.out.sr",
    "restore.out.weights",
)
REQUIRED = {
    "target": str,
    "precision": str,
    "lowering": str,
    "files": dict,
    "sha256": dict,
    "model": dict,
    "tensors": dict,
    "feature_space": str,
    "parity": dict,
    "checkpoint_sha256": str,
}


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle whose files are what its manifest says they are."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def config(self) -> HIMEConfig:
        """The network's configuration, with the LR size and the slots it was converted for."""
        return HIMEConfig.from_dict(self.manifest["model"])

    def runtime(self, threads: int | None = None) -> Runtime:
        """The runtime that executes this bundle here.

        Raises:
            UnavailableError: the engine is not installed, or exists on another system only.
        """
        from edgesr.runtime.engines import open_engine

        m = self.manifest
        return open_engine(m["target"], self.folder, m["files"], self.config, m["tensors"], threads)

    def golden(self) -> dict[str, Array]:
        """Golden vectors in canonical layout (see ``edgesr.runtime.base``), float32."""
        try:
            vectors = dict(safetensors.numpy.load_file(self.folder / GOLDEN))
        except (OSError, ValueError, safetensors.SafetensorError) as error:
            raise BundleError(f"cannot read {self.folder / GOLDEN}: {error}", "convert again") from error
        if missing := sorted(set(GOLDEN_VECTORS) - set(vectors)):
            raise BundleError(f"{self.folder / GOLDEN} has no {missing[0]}", "convert again")
        return vectors


def open_bundle(folder: Path) -> Bundle:
    """Open a bundle after checking its manifest and every file's hash.

    Raises:
        BundleError: no bundle, another version, a file missing, changed, or outside the folder.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError as error:
        what = f"{folder} is no bundle: it has no {MANIFEST}" if folder.exists() else f"no bundle {folder}"
        raise BundleError(what, "make one: edgesr convert --target executorch") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"cannot read {path}: {error}", "convert again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != "edgesr-bundle":
        raise BundleError(f"{path} does not describe an edgesr bundle")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise BundleError(
            f"{path} has format version {manifest.get('format_version')!r}",
            f"this edgesr reads version {FORMAT_VERSION}: update edgesr or convert again",
        )
    for key, kind in REQUIRED.items():
        if not isinstance(manifest.get(key), kind):
            raise BundleError(f"{path} has no proper {key!r}", "convert again")
    for name, expected in manifest["sha256"].items():
        file = (folder / name).resolve()
        if not file.is_relative_to(folder.resolve()):
            raise BundleError(f"{path} names a file outside the bundle: {name}", "do not use it")
        if not file.is_file():
            raise BundleError(f"{folder} is incomplete: {name} is missing", "copy it again, or convert again")
        if sha256_of(file) != expected:
            raise BundleError(f"{folder / name} is not the file that was converted", "it is damaged: convert again")
    unlisted = sorted(set(hashes(folder)) - set(manifest["sha256"]))
    if unlisted:
        raise BundleError(f"{folder} holds a file that its manifest does not list: {unlisted[0]}", "do not use it")
    if GOLDEN not in manifest["sha256"]:
        raise BundleError(f"{folder} has no {GOLDEN}", "convert again")
    for role, name in manifest["files"].items():
        inside = [known for known in manifest["sha256"] if known == name or known.startswith(f"{name}/")]
        if not inside:
            raise BundleError(f"{path} has no hash for its {role} file {name}", "convert again")
    return Bundle(folder, manifest)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below ``folder`` but the manifest, by relative path."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    return {p.relative_to(folder).as_posix(): sha256_of(p) for p in files}


@contextlib.contextmanager
def write_aside(output: Path, force: bool) -> Iterator[Path]:
    """A folder to write a bundle into that becomes ``output`` if the block succeeds, and vanishes if it does not.

    Raises:
        UsageError: ``output`` exists and ``force`` is not given, or is not a folder of ours.
        InputOutputError: it cannot be written (read-only, full disk).
    """
    if output.exists() or output.is_symlink():
        if not force:
            raise UsageError(f"{output} already exists", "pass --force to replace it, or --output for another place")
        if not (output / MANIFEST).is_file() and (not output.is_dir() or any(output.iterdir())):
            raise UsageError(f"{output} exists and is no bundle", "--force replaces bundles only: choose another place")
    with folder_aside(output) as folder:
        yield folder


def default_name(network: str, config: HIMEConfig, target: str, precision: str, lowering: str | None) -> str:
    """A bundle's name from everything that distinguishes it: ``hime-small-x4-lr32-s3-executorch-fp32``.

    ``lowering`` is named only where it is not the target's default (None).
    """
    parts = [network, f"lr{config.lr_size}", f"s{config.slots}", target, precision, *([lowering] if lowering else [])]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts))
