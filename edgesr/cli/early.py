"""What can be refused before PyTorch is loaded, which takes seconds: a mistake in the call is answered at once.

Each check raises what the work itself would raise later; none replaces it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from edgesr.errors import InputOutputError, UsageError
from edgesr.files.places import expanded, refuse_own_output
from edgesr.files.reading import no_file


def network(name: str | Path, *, presets: bool = False) -> None:
    """A checkpoint by name or path, or a bundle's folder; what there is names ``presets`` too, where those would do.

    Raises:
        CheckpointError, BundleError: there is none, or what describes it is damaged.
    """
    from edgesr.bundle import MANIFEST
    from edgesr.bundle_manifest import read_manifest

    folder = expanded(name)
    if (folder / MANIFEST).is_file():
        read_manifest(folder / MANIFEST)
    else:
        checkpoint(name, presets=presets)


def checkpoint(name: str | Path, *, presets: bool = False) -> None:
    """Raises CheckpointError: there is no such checkpoint, or its description is damaged."""
    from edgesr.models.description import find_checkpoint, read_description

    read_description(find_checkpoint(name, presets=presets))


def bundle(folder: Path) -> None:
    """Raises BundleError: there is no bundle, or its manifest is damaged."""
    from edgesr.bundle import MANIFEST, open_bundle
    from edgesr.bundle_manifest import read_manifest

    if not (folder / MANIFEST).is_file():
        open_bundle(folder)
    read_manifest(folder / MANIFEST)


def conversion(
    target: str,
    precision: str | None,
    lowering: str | None,
    source: str,
    sizes: dict[str, int | None],
    output: Path | None,
    force: bool,
    chips: Sequence[str] = (),
) -> None:
    """What ``convert`` asks for, and that its output is not there yet.

    Raises:
        UsageError, CheckpointError: as ``edgesr.convert.pipeline.plan`` and ``convert``.
    """
    from edgesr.bundle import default_name, refuse_existing
    from edgesr.convert.targets import choose, precisions_of
    from edgesr.models.description import describe

    record, chosen, rewriting = choose(target, precision, lowering, precisions_of(source), chips)
    described = describe(source)
    config = described.config.replace(**{name: value for name, value in sizes.items() if value is not None})
    made_of = (described.quantization or {}).get("float_name") or described.name
    named = None if rewriting == record.lowerings[0] else rewriting
    refuse_existing(output or Path.cwd() / default_name(made_of, config.interface, record.label, chosen, named), force)


def files(*paths: Path | None) -> None:
    """Raises InputOutputError: one of the files is not there, or neither a file nor a folder."""
    for path in paths:
        if path is not None and not path.exists():
            raise no_file(path)
        if path is not None and not (path.is_file() or path.is_dir()):
            raise InputOutputError(
                f"{path} is a pipe or device, not a file", "save its content as a file, and name that"
            )


def some_file(paths: Sequence[Path]) -> None:
    """Raises InputOutputError: none of the files is there. Of several, one that is not does not stop the others."""
    if not any(path.exists() for path in paths):
        files(*paths)


def detector(given: Path | None) -> None:
    """Raises UnavailableError: the face detector that was named, by an option or the environment, is not there."""
    from edgesr.faces.yunet import find_yunet

    find_yunet(given)


def absent(*paths: Path | None, force: bool) -> None:
    """Raises UsageError: an output exists and is not to be replaced."""
    for path in paths:
        if path is not None and path.exists() and not force:
            raise UsageError(f"{path} already exists", "pass --force to replace it")


def no_input(targets: Iterable[Path], inputs: Iterable[Path | None]) -> None:
    """Raises UsageError: an output would take the place of what it is made of; nothing is worth a user's own photo."""
    given = [path for path in inputs if path is not None]
    for target in targets:
        refuse_own_output(target, *given)


def faces(folder: Path, split: str | None = None, list_file: Path | None = None) -> None:
    """A folder of aligned faces: of photos to train on, or with ``split`` one to evaluate on.

    Raises:
        InputOutputError, UsageError: it is not there, or has no such split in its list.
    """
    from edgesr.data.layout import read_eval_list, split_folder

    if split is None:
        split_folder(folder, None, 0)
    else:
        read_eval_list(folder, split, 0, list_file)


def architecture(name: str) -> Any:
    """Raises UsageError: no preset, nor a .json file."""
    from edgesr.models.registry import PRESETS, preset

    if preset(name) is None and Path(name).suffix != ".json":
        raise UsageError(f"unknown network {name!r}", f"presets: {', '.join(PRESETS)}; or a .json with the widths")
