"""Bundles: a folder with a converted network, its ``manifest.json`` and golden vectors.

Every file is checked against the manifest's SHA-256 before anything of it is loaded.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from edgesr.bundle_manifest import FORMAT_VERSION as FORMAT_VERSION
from edgesr.bundle_manifest import config_in, read_manifest
from edgesr.errors import BundleError, UsageError
from edgesr.files.atomic import folder_aside
from edgesr.files.claims import claimed
from edgesr.files.leftovers import recover
from edgesr.files.litter import is_empty, is_litter
from edgesr.files.places import expanded
from edgesr.models.architecture import NetworkConfig
from edgesr.models.description import sha256_of
from edgesr.models.interface import Interface
from edgesr.residency import Residency, residencies_from_dict
from edgesr.runtime.base import Array, Runtime

MANIFEST, GOLDEN = "manifest.json", "golden.safetensors"


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle whose files are what its manifest says they are."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def config(self) -> NetworkConfig:
        """The network's configuration, with the LR size and the slots it was converted for."""
        return config_in(self.manifest)

    @property
    def interface(self) -> Interface:
        """What goes in and comes out."""
        return self.config.interface

    @property
    def feature_space(self) -> str:
        """Id of what the features mean."""
        space: str = self.manifest["feature_space"]
        return space

    @property
    def residency(self) -> dict[str, tuple[Residency, ...]]:
        """By graph, what each backend takes of it; empty where the bundle was made before that was told."""
        return residencies_from_dict(self.manifest.get("residency"))

    @property
    def feature_scales(self) -> dict[str, float]:
        """int8 step of each part of the features; empty where its network came without."""
        described = self.manifest.get("features") or {"parts": []}
        scales = {part["name"]: part.get("int8_scale") for part in described["parts"]}
        return {} if None in scales.values() else scales

    @property
    def degradation(self) -> str:
        """What its network is judged with; ``bicubic`` in bundles from before there was a choice."""
        found = self.manifest.get("degradation")
        return found if isinstance(found, str) else "bicubic"

    def runtime(self, threads: int | None = None) -> Runtime:
        """The runtime that executes this bundle here. What never ran here is run in a process of its own first.

        Raises:
            UnavailableError: the engine is not installed, or exists on another system only.
            BundleError: the engine does not take the model, or is ended by it.
        """
        from edgesr.runtime.engines import ENGINES, open_engine
        from edgesr.runtime.isolated import IsolatedRuntime
        from edgesr.runtime.tried import try_first

        m = self.manifest
        if set(m["tensors"]) != {"encode", "restore"}:
            raise BundleError(f"{self.folder / MANIFEST} does not describe both graphs", "convert again")
        described = (self.folder, m["files"], self.interface, m["tensors"], threads)
        engine = ENGINES.get(m["target"])
        if engine is not None and not engine.isolated:
            try_first(m, lambda: IsolatedRuntime(engine, *described))
        return open_engine(m["target"], *described)

    def golden(self) -> dict[str, Array]:
        """Golden vectors in canonical layout (see ``edgesr.runtime.base``), float32."""
        try:
            vectors = dict(safetensors.numpy.load_file(self.folder / GOLDEN))
        except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
            # A dtype that numpy does not know is a KeyError there.
            raise BundleError(f"cannot read {self.folder / GOLDEN}: {error!r:.200}", "convert again") from error
        if foreign := [name for name, vector in vectors.items() if vector.dtype != np.float32]:
            raise BundleError(f"{self.folder / GOLDEN} holds {foreign[0]!r:.60} in another type", "convert again")
        if missing := sorted(set(golden_names(self.interface)) - set(vectors)):
            raise BundleError(f"{self.folder / GOLDEN} has no {missing[0]}", "convert again")
        return vectors


def bundle_folder(name: str | Path) -> Path | None:
    """The folder of a bundle, which a manifest lies in; None where the name is of something else, or of nothing."""
    folder = expanded(name)
    return folder if (folder / MANIFEST).is_file() else None


def golden_names(interface: Interface) -> list[str]:
    """Of the golden vectors: what goes into both graphs, and what comes out."""
    taken = ("lr", *interface.kept, "valid")
    return [
        "encode.in.exemplar",
        *(f"encode.out.{name}" for name in interface.kept),
        *(f"restore.in.{name}" for name in taken),
        "restore.out.sr",
        "restore.out.weights",
    ]


def open_bundle(folder: Path) -> Bundle:
    """Open a bundle after checking its manifest and every file's hash.

    Raises:
        BundleError: no bundle, another version, a file missing, changed, or outside the folder.
    """
    path = folder / MANIFEST
    recover(folder)
    try:
        manifest = read_manifest(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        what = f"{folder} is no bundle: it has no {MANIFEST}" if folder.exists() else f"no bundle {folder}"
        raise BundleError(
            what, "make one: edgesr convert --target executorch, or the target that is to run it"
        ) from error
    try:
        for name, expected in manifest["sha256"].items():
            _check_file(folder, name, expected)
        unlisted = sorted(set(file_names(folder)) - set(manifest["sha256"]))
    except OSError as error:
        raise BundleError(f"cannot read {folder}: {error.strerror or error}", "copy it again") from error
    if unlisted:
        raise BundleError(f"{folder} holds a file that its manifest does not list: {unlisted[0]}", "do not use it")
    if GOLDEN not in manifest["sha256"]:
        raise BundleError(f"{folder} has no {GOLDEN}", "convert again")
    for role, name in manifest["files"].items():
        inside = [known for known in manifest["sha256"] if known == name or known.startswith(f"{name}/")]
        if not inside:
            raise BundleError(f"{path} has no hash for its {role} file {name}", "convert again")
    return Bundle(folder, manifest)


def _check_file(folder: Path, name: str, sha256: str) -> None:
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise BundleError(f"{folder / MANIFEST} names a file outside the bundle: {name}", "do not use it")
    if not file.is_file():
        raise BundleError(f"{folder} is incomplete: {name} is missing", "copy it again, or convert again")
    if sha256_of(file) != sha256:
        raise BundleError(f"{folder / name} is not the file that was converted", "it is damaged: convert again")


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below ``folder`` but its manifest and systems' litter, by relative path."""
    return {name: sha256_of(folder / name) for name in file_names(folder)}


def file_names(folder: Path) -> list[str]:
    """Relative paths of what ``hashes`` tells of: anything that is no folder, links to folders included."""
    found = (p for p in folder.rglob("*") if p != folder / MANIFEST and (p.is_symlink() or not p.is_dir()))
    return sorted(p.relative_to(folder).as_posix() for p in found if not is_litter(p))


@contextlib.contextmanager
def write_aside(output: Path, force: bool) -> Iterator[Path]:
    """A folder to write a bundle into that becomes ``output`` if the block succeeds, and vanishes if it does not.

    Raises:
        UsageError: ``output`` exists and ``force`` is not given, or is not a folder of ours.
        InputOutputError: it cannot be written (read-only, full disk), or another process is writing it.
    """
    with claimed(output):
        recover(output)
        refuse_existing(output, force)
        with folder_aside(output) as folder:
            yield folder


def refuse_existing(output: Path, force: bool) -> None:
    """Raises UsageError: ``output`` exists and ``force`` is not given, or is not a folder of ours."""
    if output.exists() or output.is_symlink():
        if not force:
            raise UsageError(f"{output} already exists", "pass --force to replace it, or --output for another place")
        if not (output / MANIFEST).is_file() and (not output.is_dir() or not is_empty(output)):
            raise UsageError(f"{output} exists and is no bundle", "--force replaces bundles only: choose another place")


def default_name(network: str, interface: Interface, target: str, precision: str, lowering: str | None) -> str:
    """A bundle's name from everything that distinguishes it: ``hime-small-x4-lr32-s3-executorch-fp32``.

    ``lowering`` is named only where it is not the target's default (None).
    """
    parts = [
        network,
        f"lr{interface.lr_size}",
        f"s{interface.slots}",
        target,
        precision,
        *([lowering] if lowering else []),
    ]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts))
