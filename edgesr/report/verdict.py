"""The verdict on top of a report: which precision to ship on each target, and what that costs and saves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from edgesr.convert.precision import QUANTIZED, in_float, rank
from edgesr.convert.targets import title

from .rows import Row, broken
from .subject import Limits

AS_FAST = 1.03
"""Within so much two medians count as equal, and the smaller file is preferred."""
AS_SMALL = 1.01
"""Within so much two files count as equal, and the one that loses less on average is preferred."""
WHY_UNTIMED = "smaller, but untimed: nothing says that it is quicker on a device"
FEW_FACES, FEW_PEOPLE = 20, 10
"""Below either a verdict is a first look: the worst face of a few is not the worst of many."""


@dataclasses.dataclass(frozen=True)
class Rejected:
    """A precision that breaks limits."""

    precision: str
    why: str


@dataclasses.dataclass(frozen=True)
class Passing:
    """A precision that keeps within the limits and is not chosen."""

    precision: str
    text: str


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """A further split on which the choice breaks limits."""

    split: str
    why: str


@dataclasses.dataclass(frozen=True)
class Choice:
    """What the chosen precision costs and saves."""

    faces: int
    psnr_loss_mean: float
    psnr_loss_max: float
    identity_loss: float | None
    size_bytes: int
    ms_median: float | None
    than: str | None
    """The target's plainest precision, which size and time are compared with; None where that is the choice."""
    size_share: float
    times_as_fast: float | None

    @classmethod
    def of(cls, row: Row, plain: Row) -> Choice:
        """A row, beside the plainest of its target."""
        ours, theirs = row.latency, plain.latency
        return cls(
            faces=row.loss.faces,
            psnr_loss_mean=row.loss.psnr_loss_mean,
            psnr_loss_max=row.loss.psnr_loss_max,
            identity_loss=row.loss.identity_loss,
            size_bytes=row.size_bytes,
            ms_median=ours.ms_median if ours else None,
            than=None if row is plain else plain.precision,
            size_share=row.size_bytes / plain.size_bytes,
            times_as_fast=theirs.ms_median / ours.ms_median if ours and theirs else None,
        )

    def __str__(self) -> str:
        parts = [
            f"{decibel(self.psnr_loss_mean)} dB lost on average, {decibel(self.psnr_loss_max)} dB on the worst of "
            f"{self.faces} faces"
        ]
        if self.identity_loss is not None:
            lost = f"{self.identity_loss:.4f}"
            parts.append(f"identity loss {lost.lstrip('-') if float(lost) == 0 else lost}")
        share = f" ({self.size_share:.0%} of {self.than})" if self.than else ""
        parts.append(f"{self.size_bytes / 1e6:.2f} MB{share}")
        if self.ms_median is None:
            parts.append("not timed here")
        else:
            compared = self.than and self.times_as_fast
            times = f" ({self.times_as_fast:.1f} times as fast as {self.than})" if compared else ""
            parts.append(f"{self.ms_median:.1f} ms a face{times}")
        return "; ".join(parts)


@dataclasses.dataclass(frozen=True)
class Line:
    """Which precision to ship on a target."""

    target: str
    precision: str | None
    """None where nothing measured is within the limits."""
    figures: Choice | None
    rejected: tuple[Rejected, ...]
    elsewhere: tuple[Elsewhere, ...]
    passes: tuple[Passing, ...]
    """What passes as well, and why it is not chosen."""
    text: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One sentence, and a line a target."""

    headline: str
    lines: tuple[Line, ...]

    @property
    def ships(self) -> bool:
        """Whether every target has a precision to ship."""
        return all(line.precision for line in self.lines)


def few(faces: int, people: int) -> str:
    """What to say where a report judges very few faces; nothing where there are enough."""
    if faces >= FEW_FACES and people >= FEW_PEOPLE:
        return ""
    counted = f"{faces} {'face' if faces == 1 else 'faces'} of {people} {'person' if people == 1 else 'people'}"
    return f"Judged on {counted} alone: a first look, no ground to ship on (edgesr report --data FOLDER, no --limit)."


def verdict(
    rows: Sequence[Row],
    limits: Limits,
    others: Mapping[str, Sequence[Row]] | None = None,
    few: bool = False,
) -> Verdict:
    """What to ship, of the rows of the first split; ``others`` are those of further splits, by the split's name.
    Of ``few`` faces it calls itself a first look.

    Of the rows within the limits the fastest is chosen. Where not all could be timed, it is the smallest that computes
    in float: integers are taken for their speed, and there nobody has seen it.
    """
    targets = list(dict.fromkeys(row.target for row in rows))
    lines = [_line([row for row in rows if row.target == target], limits, others or {}) for target in targets]
    headline = _headline(rows, lines)
    return Verdict(f"At a first look: {headline[0].lower()}{headline[1:]}" if few else headline, tuple(lines))


def _line(rows: Sequence[Row], limits: Limits, others: Mapping[str, Sequence[Row]]) -> Line:
    faults = {row.precision: "; ".join(broken(row.loss, limits)) for row in rows}
    within = [row for row in rows if not faults[row.precision]]
    rejected = tuple(Rejected(precision, why) for precision, why in faults.items() if why)
    if not within:
        return Line(rows[0].target, None, None, rejected, (), (), "nothing measured is within the limits")
    best, plain = _best(within), _plainest(rows)
    choice = Choice.of(best, plain)
    smaller = [] if _all_timed(within) else [row for row in within if row.size_bytes < best.size_bytes]
    passes = (_passing(_smallest(smaller), plain),) if smaller else ()
    elsewhere = tuple(
        Elsewhere(split, "; ".join(why))
        for split, rows_there in others.items()
        for row in rows_there
        if row.name == best.name and (why := broken(row.loss, limits))
    )
    said = [str(choice), *(f"{other.precision} passes, too: {other.text}" for other in passes)]
    said += [f"but on {other.split}: {other.why}" for other in elsewhere]
    return Line(best.target, best.precision, choice, rejected, elsewhere, passes, "; ".join(said))


def _passing(row: Row, plain: Row) -> Passing:
    """What is said of a precision that passes and is not chosen for want of its time."""
    lost = f"{decibel(row.loss.psnr_loss_mean)} dB lost on average, {decibel(row.loss.psnr_loss_max)} dB on the worst"
    size = f"{row.size_bytes / 1e6:.2f} MB ({row.size_bytes / plain.size_bytes:.0%} of {plain.precision})"
    return Passing(row.precision, f"{lost}; {size}: {WHY_UNTIMED}")


def _all_timed(rows: Sequence[Row]) -> bool:
    return all(row.latency for row in rows)


def _best(rows: Sequence[Row]) -> Row:
    times = [row.latency.ms_median for row in rows if row.latency]
    if len(times) == len(rows):
        rows = [row for row, taken in zip(rows, times, strict=True) if taken <= AS_FAST * min(times)]
    else:
        rows = [row for row in rows if in_float(row.precision)] or rows
    return _smallest(rows)


def _smallest(rows: Sequence[Row]) -> Row:
    """The smallest, or of those as small the one that loses least on average."""
    smallest = min(row.size_bytes for row in rows)
    return min((row for row in rows if row.size_bytes <= AS_SMALL * smallest), key=lambda row: row.loss.psnr_loss_mean)


def _plainest(rows: Sequence[Row]) -> Row:
    """What the others of its target are compared with: fp32 where it was measured."""
    return min(rows, key=lambda row: rank(row.precision))


def _headline(rows: Sequence[Row], lines: Sequence[Line]) -> str:
    if not lines:
        return "Nothing was measured"
    by_precision: dict[str, list[str]] = {}
    for line in lines:
        if line.precision:
            by_precision.setdefault(line.precision, []).append(title(line.target))
    none = [title(line.target) for line in lines if not line.precision]
    order = sorted(by_precision, key=rank, reverse=True)
    text = ", ".join(f"{precision} on {_and(by_precision[precision])}" for precision in order)
    said = f"Ship {text}." if text else "Ship none of them."
    for line in lines:
        for other in line.passes:
            name = title(line.target)
            said += f" On {name} {other.precision} passes and is untimed, so {line.precision} stays."
    if none and text:
        said += f" Nothing yet on {_and(none)}."
    if not any(row.precision in QUANTIZED for row in rows):
        said += " No int8 network was measured."
    return said


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def decibel(value: float) -> str:
    """dB lost: three digits where it is less than a tenth, and no minus before a zero."""
    text = f"{value:.3f}" if abs(value) < 0.0995 else f"{value:.2f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "\u2212")
