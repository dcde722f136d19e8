"""The bundles a report measures: those given, and conversions of what is missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from edgesr.bundle import MANIFEST, Bundle, open_bundle
from edgesr.convert.pipeline import convert, plan
from edgesr.convert.plan import Plan
from edgesr.convert.precision import PRECISIONS, QUANTIZED
from edgesr.convert.quantized import Calibration
from edgesr.convert.targets import TARGETS, target_named
from edgesr.errors import BundleError, EdgesrError, UsageError
from edgesr.models import Checkpoint
from edgesr.quantize.scheme import Quantization

from .subject import Cell


@dataclasses.dataclass(frozen=True)
class Sources:
    """What can be converted."""

    checkpoint: Checkpoint
    checkpoint_name: str
    """As the user named it."""
    quantized: Sequence[tuple[Checkpoint, str]]
    calibration: Path | None
    recipe: Path | None
    folder: Path
    """Where conversions are kept."""


def given_cells(paths: Sequence[Path]) -> list[Cell]:
    """A cell for every given bundle.

    Raises:
        UsageError: two bundles for one cell. BundleError: one is missing or damaged.
    """
    found: dict[tuple[str, str], Bundle] = {}
    for folder in (folder for path in paths for folder in bundle_folders(path)):
        bundle = open_bundle(folder)
        name = (bundle.manifest["target"], bundle.manifest["precision"])
        if name in found:
            raise UsageError(f"two bundles are {' '.join(name)}: {folder} and {found[name].folder}", "give one of them")
        found[name] = bundle
    return [Cell(target, precision, bundle) for (target, precision), bundle in found.items()]


def check_names(targets: Sequence[str], precisions: Sequence[str]) -> None:
    """Raises UsageError for an unknown target or precision."""
    for target in targets:
        target_named(target)
    if unknown := [precision for precision in precisions if precision not in PRECISIONS]:
        raise UsageError(f"unknown precision {unknown[0]!r}", f"known precisions: {', '.join(PRECISIONS)}")


def with_conversions(
    given: Sequence[Cell],
    targets: Sequence[str],
    precisions: Sequence[str],
    sources: Sources,
    say: Callable[[str], None],
) -> list[Cell]:
    """The given cells and one for every other precision on every target, converted where it can be."""
    found = {(cell.target, cell.precision): cell for cell in given}
    for target in targets:
        for precision in precisions:
            if (target, precision) not in found:
                found[target, precision] = _converted(target, precision, sources, say)
    order = [*targets, *TARGETS]
    return sorted(found.values(), key=lambda cell: order.index(cell.target))


def bundle_folders(path: Path) -> list[Path]:
    """The bundle itself, or the bundles in a folder of them."""
    if (path / MANIFEST).is_file() or not path.is_dir():
        return [path]
    found = sorted(folder.parent for folder in path.glob(f"*/{MANIFEST}") if not folder.parent.name.startswith("."))
    if not found:
        raise BundleError(f"{path} is no bundle and holds none", "make one: edgesr convert --target executorch")
    return found


def _converted(target: str, precision: str, sources: Sources, say: Callable[[str], None]) -> Cell:
    offered = target_named(target).precisions
    if precision not in offered:
        return Cell(target, precision, None, f"{target} has none; it converts to {', '.join(offered)}")
    try:
        chosen = _plan(target, precision, sources)
        kept = _kept(chosen)
        if kept is None:
            say(f"converting to {target} {precision}")
            convert(chosen, force=chosen.output.exists(), report=lambda stage: say(f"  {stage}"))
            kept = open_bundle(chosen.output)
    except EdgesrError as error:
        return Cell(target, precision, None, error.what, error.hint)
    return Cell(target, precision, kept)


def _plan(target: str, precision: str, sources: Sources) -> Plan:
    checkpoint, calibration = sources.checkpoint_name, None
    if precision in QUANTIZED:
        fitting = [name for loaded, name in sources.quantized if precision in _precisions(loaded)]
        if fitting:
            checkpoint = fitting[0]
        elif precision != "int8" and sources.calibration and (precision != "mixed" or sources.recipe):
            recipe = sources.recipe if precision == "mixed" else None
            calibration = Calibration(sources.calibration, recipe=recipe)
        elif precision == "mixed":
            raise UsageError(
                "no mixed network and no recipe was given",
                "edgesr report --recipe FILE (edgesr quantize --search finds one)",
            )
    name = f"{sources.checkpoint.name}-{target}-{precision}"
    return plan(
        target, checkpoint=checkpoint, precision=precision, output=sources.folder / name, calibration=calibration
    )


def _kept(chosen: Plan) -> Bundle | None:
    """What an earlier report converted from the same weights and scales."""
    if not (chosen.output / MANIFEST).is_file():
        return None
    try:
        bundle = open_bundle(chosen.output)
    except BundleError:
        return None
    if bundle.manifest["checkpoint_sha256"] != chosen.checkpoint.sha256:
        return None
    stored = bundle.manifest.get("quantization")
    if chosen.quantization is not None and stored != chosen.quantization.to_dict():
        return None
    return bundle


def _precisions(loaded: Checkpoint) -> tuple[str, ...]:
    return Quantization.from_dict(loaded.quantization).precisions if loaded.quantization else ()
