"""`edgesr eval --against`: what one network has more than another, face by face."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from conftest import Call

Rows = list[dict[str, str]]
Evaluated = tuple[tuple[object, ...], Path]


def rewritten(path: Path, to: Path, change: Any) -> Path:
    """The CSV with ``change`` made to each of its rows."""
    with path.open(newline="") as stream:
        rows: Rows = list(csv.DictReader(stream))
    for i, row in enumerate(rows):
        change(i, row)
    with to.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return to


@pytest.fixture
def evaluated(call: Call, tiny_checkpoint: Path, people_folder: Path, tmp_path: Path) -> Evaluated:
    """An evaluation's command, and the CSV that it wrote."""
    command = ("eval", "-c", tiny_checkpoint, "--data", people_folder, "--no-identity")
    assert call(*command, "--csv", tmp_path / "a.csv")[0] == 0
    return command, tmp_path / "a.csv"


def test_differences_are_taken_face_by_face_and_within_their_interval_where_it_holds_0(
    call: Call, evaluated: Evaluated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, written = evaluated

    def lower(i: int, row: dict[str, str]) -> None:
        if row["method"] == "n=1":
            row["psnr"] = f"{float(row['psnr']) - 0.5:.6f}"
        if row["method"] == "n=0":
            row["psnr"] = f"{float(row['psnr']) + (1 if i % 2 else -1):.6f}"

    other = rewritten(written, tmp_path / "b.csv", lower)
    code, answer, _ = call(*command, "--against", other)
    assert code == 0
    found = {(row["of"], row["metric"]): row for row in answer["against"]["differences"]}
    assert {of for of, _ in found} == {"n=0", "n=1", "wrong-person", "n=1 minus wrong-person"}
    for of in ("n=1", "n=1 minus wrong-person"):
        assert found[of, "psnr"]["difference"] == pytest.approx(0.5, abs=1e-5)
        assert found[of, "psnr"]["difference_95"] == pytest.approx([0.5, 0.5], abs=1e-5)
        assert not found[of, "psnr"]["within"]
    assert found["wrong-person", "psnr"]["difference"] == pytest.approx(0, abs=1e-5)
    low, high = found["n=0", "psnr"]["difference_95"]
    assert (low < -0.1, high > 0.1, found["n=0", "psnr"]["within"]) == (True, True, True)
    capsys.readouterr()
    from edgesr.cli.main import run

    assert run([*map(str, command), "--against", str(other)]) == 0
    printed = capsys.readouterr().out
    assert "+0.500 [+0.500, +0.500]" in printed
    assert "within its interval" in printed


def test_other_faces_and_other_judges_are_refused(call: Call, evaluated: Evaluated, tmp_path: Path) -> None:
    command, written = evaluated

    def brighter(_: int, row: dict[str, str]) -> None:
        row["psnr"] = f"{float(row['psnr']) + 0.01:.6f}"

    otherwise = rewritten(written, tmp_path / "otherwise.csv", brighter)
    broken = rewritten(written, tmp_path / "broken.csv", lambda _, row: row.update(psnr="good"))
    (tmp_path / "twice.csv").write_text(written.read_text() + written.read_text().split("\n", 1)[1])
    (tmp_path / "empty.csv").write_text("person,target\n")
    for against, more, code, message in (
        (written, ("--limit", 2), 2, "is of other faces: 2 of 2 here are among its"),
        (otherwise, (), 2, "was judged otherwise: psnr of bicubic"),
        (broken, (), 5, "has no figures of bicubic on"),
        (tmp_path / "twice.csv", (), 5, "twice"),
        (tmp_path / "empty.csv", (), 5, "has no column"),
        (tmp_path / "nothing.csv", (), 5, "no file"),
    ):
        found, answer, _ = call(*command, *more, "--against", against)
        assert (found, message in answer["error"]) == (code, True), answer
