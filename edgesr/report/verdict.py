"""The verdict on top of a report: which precision to ship on each target, and what that costs and saves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgesr.convert.precision import QUANTIZED, in_float, rank
from edgesr.convert.targets import title

from .rows import Limits

AS_FAST = 1.03
"""Within so much two medians count as equal, and the smaller file is preferred."""
AS_SMALL = 1.01
"""Within so much two files count as equal, and the one that loses less on average is preferred."""
WHY_UNTIMED = "smaller, but untimed: nothing says that it is quicker on a device"


FEW_FACES, FEW_PEOPLE = 20, 10
"""Below either a verdict is a first look: the worst face of a few is not the worst of many."""


def few(faces: int, people: int) -> str:
    """What to say where a report judges very few faces; nothing where there are enough."""
    if faces >= FEW_FACES and people >= FEW_PEOPLE:
        return ""
    counted = f"{faces} {'face' if faces == 1 else 'faces'} of {people} {'person' if people == 1 else 'people'}"
    return f"Judged on {counted} alone: a first look, no ground to ship on (edgesr report --data FOLDER, no --limit)."


def verdict(rows: Sequence[dict[str, Any]], limits: Limits) -> dict[str, Any]:
    """``headline``, and ``lines``, one a target: ``target``, ``precision`` (None: none may be shipped), ``figures``,
    ``text``, ``rejected`` and ``passes`` (what passes as well, and why it is not chosen).

    Of the rows within the limits the fastest is chosen. Where not all could be timed, it is the smallest that computes
    in float: integers are taken for their speed, and there nobody has seen it.
    """
    targets = list(dict.fromkeys(row["target"] for row in rows))
    lines = [_line([row for row in rows if row["target"] == target], limits) for target in targets]
    return {"headline": _headline(rows, lines), "lines": lines}


def add_other_splits(found: dict[str, Any], splits: Sequence[dict[str, Any]], limits: Limits) -> None:
    """Say on each line of a verdict on which further splits its choice breaks the limits (``elsewhere``)."""
    for line in found["lines"]:
        line["elsewhere"] = [
            {"split": split["split"], "why": "; ".join(broken)}
            for split in splits
            for row in split["rows"]
            if (row["target"], row["precision"]) == (line["target"], line["precision"])
            and (broken := limits.broken(row))
        ]
        for other in line["elsewhere"]:
            line["text"] += f"; but on {other['split']}: {other['why']}"


def _line(rows: Sequence[dict[str, Any]], limits: Limits) -> dict[str, Any]:
    within = [row for row in rows if not limits.broken(row)]
    rejected = [
        {"precision": row["precision"], "why": "; ".join(broken)} for row in rows if (broken := limits.broken(row))
    ]
    line: dict[str, Any] = {"target": rows[0]["target"], "rejected": rejected, "elsewhere": [], "passes": []}
    if not within:
        return {**line, "precision": None, "figures": None, "text": "nothing measured is within the limits"}
    best, plain = _best(within), _plainest(rows)
    figures = {
        "faces": best["faces"],
        "psnr_loss_mean": best["psnr_loss_mean"],
        "psnr_loss_max": best["psnr_loss_max"],
        "identity_loss": best["identity_loss"],
        "size_bytes": best["size_bytes"],
        "ms_median": best["ms_median"],
        "than": plain["precision"] if best is not plain else None,
        "size_share": best["size_bytes"] / plain["size_bytes"],
        "times_as_fast": plain["ms_median"] / best["ms_median"] if best["ms_median"] and plain["ms_median"] else None,
    }
    passes = [] if _all_timed(within) else [row for row in within if row["size_bytes"] < best["size_bytes"]]
    line["passes"] = [_passing(_smallest(passes), plain)] if passes else []
    text = "; ".join(
        [_said(figures), *(f"{other['precision']} passes, too: {other['text']}" for other in line["passes"])]
    )
    return {**line, "precision": best["precision"], "figures": figures, "text": text}


def _passing(row: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """What is said of a precision that passes and is not chosen for want of its time."""
    lost = f"{decibel(row['psnr_loss_mean'])} dB lost on average, {decibel(row['psnr_loss_max'])} dB on the worst"
    size = f"{row['size_bytes'] / 1e6:.2f} MB ({row['size_bytes'] / plain['size_bytes']:.0%} of {plain['precision']})"
    return {"precision": row["precision"], "text": f"{lost}; {size}: {WHY_UNTIMED}"}


def _all_timed(rows: Sequence[dict[str, Any]]) -> bool:
    return all(row["ms_median"] is not None for row in rows)


def _best(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if _all_timed(rows):
        fastest = min(row["ms_median"] for row in rows)
        rows = [row for row in rows if row["ms_median"] <= AS_FAST * fastest]
    else:
        rows = [row for row in rows if in_float(row["precision"])] or rows
    return _smallest(rows)


def _smallest(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The smallest, or of those as small the one that loses least on average."""
    smallest = min(row["size_bytes"] for row in rows)
    return min((row for row in rows if row["size_bytes"] <= AS_SMALL * smallest), key=lambda row: row["psnr_loss_mean"])


def _plainest(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the others of its target are compared with: fp32 where it was measured."""
    return min(rows, key=lambda row: rank(row["precision"]))


def _said(f: dict[str, Any]) -> str:
    parts = [
        f"{decibel(f['psnr_loss_mean'])} dB lost on average, {decibel(f['psnr_loss_max'])} dB on the worst of "
        f"{f['faces']} faces"
    ]
    if f["identity_loss"] is not None:
        lost = f"{f['identity_loss']:.4f}"
        parts.append(f"identity loss {lost.lstrip('-') if float(lost) == 0 else lost}")
    parts.append(f"{f['size_bytes'] / 1e6:.2f} MB" + (f" ({f['size_share']:.0%} of {f['than']})" if f["than"] else ""))
    if f["ms_median"] is None:
        parts.append("not timed here")
    else:
        times = f" ({f['times_as_fast']:.1f} times as fast as {f['than']})" if f["than"] and f["times_as_fast"] else ""
        parts.append(f"{f['ms_median']:.1f} ms a face{times}")
    return "; ".join(parts)


def _headline(rows: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]]) -> str:
    if not lines:
        return "Nothing was measured"
    by_precision: dict[str, list[str]] = {}
    for line in lines:
        if line["precision"]:
            by_precision.setdefault(line["precision"], []).append(title(line["target"]))
    none = [title(line["target"]) for line in lines if not line["precision"]]
    order = sorted(by_precision, key=rank, reverse=True)
    text = ", ".join(f"{precision} on {_and(by_precision[precision])}" for precision in order)
    said = f"Ship {text}." if text else "Ship none of them."
    for line in lines:
        for other in line["passes"]:
            name = title(line["target"])
            said += f" On {name} {other['precision']} passes and is untimed, so {line['precision']} stays."
    if none and text:
        said += f" Nothing yet on {_and(none)}."
    if not any(row["precision"] in QUANTIZED for row in rows):
        said += " No int8 network was measured."
    return said


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def decibel(value: float) -> str:
    """dB lost: three digits where it is less than a tenth, and no minus before a zero."""
    text = f"{value:.3f}" if abs(value) < 0.0995 else f"{value:.2f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "\u2212")
