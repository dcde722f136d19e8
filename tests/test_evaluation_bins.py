"""``edgesr eval --by``: every target is in one bin, and a bin's figures are those of its targets alone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from conftest import Call
from PIL import Image

from edgesr.cli import output
from edgesr.cli.eval_text import bin_tables
from edgesr.cli.main import run
from edgesr.errors import InputOutputError
from edgesr.evaluation.bins import UNKNOWN, BinRow, bin_name, bins, light, sizes, yaw
from edgesr.evaluation.methods import Evaluation
from edgesr.evaluation.metrics import Interval, over_people
from edgesr.faces.face import Face
from edgesr.images.imaging import Pixels


@pytest.mark.parametrize(
    ("by", "value", "name"),
    [
        ("size", 100, "size < 192"),
        ("size", 192, "size 192-320"),
        ("size", 511.9, "size 320-512"),
        ("size", 512, "size >= 512"),
        ("yaw", 0.0, "yaw < 0.05"),
        ("yaw", 0.15, "yaw >= 0.15"),
        ("light", 0.5, "light 0.45-0.6"),
        ("light", math.nan, UNKNOWN),
    ],
)
def test_a_value_is_in_one_bin(by: str, value: float, name: str) -> None:
    assert bin_name(by, value) == name


def test_a_bins_figures_are_those_of_its_targets() -> None:
    people = ["ann", "ann", "bob", "eve"]
    scores = {
        "psnr": {"n=1": [20.0, 22.0, 30.0, 40.0], "wrong-person": [19.0, 22.0, 28.0, math.nan]},
        "identity_distance": {"n=1": [0.4, 0.5, 0.3, 0.1], "wrong-person": [0.5, 0.5, 0.7, math.nan]},
        "verified": {"n=1": [1.0, 0.0, 1.0, 1.0], "wrong-person": [0.0, 0.0, 1.0, math.nan]},
        "verified_as_wrong": {"n=1": [0.0] * 4, "wrong-person": [0.0, 1.0, 0.0, math.nan]},
    }
    names = ["yaw >= 0.15", "yaw < 0.05", "yaw < 0.05", UNKNOWN]
    rows = bins(Evaluation(people, scores), names, ["n=1", "wrong-person"], "n=1", [1.0, 0.0, 1.0, 1.0])
    assert [(row.name, row.images, row.people) for row in rows] == [
        ("yaw < 0.05", 2, 2),
        ("yaw >= 0.15", 1, 1),
        (UNKNOWN, 1, 1),
    ]
    frontal, turned, unknown = rows
    assert frontal.verified["n=1"] == over_people([0.0, 1.0], ["ann", "bob"])
    assert frontal.originals == over_people([0.0, 1.0], ["ann", "bob"])
    assert frontal.verified_as_wrong == over_people([1.0, 0.0], ["ann", "bob"])
    assert frontal.distance_right_minus_wrong is not None
    assert frontal.distance_right_minus_wrong.mean == pytest.approx((0.0 - 0.4) / 2)
    assert turned.psnr["n=1"].mean == 20.0
    assert unknown.verified_as_wrong is not None
    assert math.isnan(unknown.verified_as_wrong.mean), "nobody else's exemplars were tried there"
    (alone,) = bins(Evaluation(people, {"psnr": scores["psnr"]}), ["x"] * 4, ["n=1"], "n=1", None)
    assert (alone.verified, alone.originals, alone.distance_right_minus_wrong) == ({}, None, None)


class Nose:
    """Finds one face whose nose lies ``beside`` the middle, in eye distances."""

    name = "nose"

    def __init__(self, beside: float | None) -> None:
        self.beside = beside

    def detect(self, photo: Pixels, long_side: int | None = None) -> list[Face]:  # noqa: ARG002
        if self.beside is None:
            return []
        points = np.array([[10, 10], [30, 20], [0, 0], [8, 34], [20, 40]], float)
        across = points[1] - points[0]
        upright = np.array([-across[1], across[0]]) * 0.3
        points[2] = points[[0, 1, 3, 4]].mean(0) + self.beside * across + upright
        return [Face((0, 0, 40, 40), points, 0.9)]

    def refine(self, photo: Pixels, face: Face) -> Face:  # noqa: ARG002
        return face


@pytest.mark.parametrize(("beside", "expected"), [(0.0, 0.0), (0.2, 0.2), (-0.3, 0.3), (None, math.nan)])
def test_yaw_is_the_nose_beside_the_middle(beside: float | None, expected: float) -> None:
    assert yaw(np.zeros((64, 64, 3), np.uint8), Nose(beside)) == pytest.approx(expected, nan_ok=True)


def test_light_is_of_the_middle_and_size_of_the_manifest(tmp_path: Path) -> None:
    photo = np.full((32, 32, 3), 255, np.uint8)
    photo[8:24, 8:24] = 51
    path = tmp_path / "32" / "test" / "ann" / "01.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(photo).save(path)
    assert light(path) == pytest.approx(0.2)
    with pytest.raises(InputOutputError, match=r"no file .*manifest\.csv"):
        sizes(tmp_path, 32)
    (tmp_path / "manifest.csv").write_text(
        "file,size,native_px\ntest/ann/01.png,64,900\ntest/ann/01.png,32,150.5\ntest/ann/02.png,32,\n"
    )
    value = sizes(tmp_path, 32)
    assert value(path) == 150.5
    assert math.isnan(value(path.with_name("02.png")))
    assert math.isnan(value(tmp_path / "elsewhere.png"))
    (tmp_path / "manifest.part-2-of-2.csv").write_text("file,size,native_px\ntest/ann/02.png,32,99\n")
    assert sizes(tmp_path, 32)(path.with_name("02.png")) == 99, "parts say what the whole does"
    (tmp_path / "manifest.csv").unlink()
    assert sizes(tmp_path, 32)(path.with_name("02.png")) == 99


def test_eval_prints_a_table_for_each_and_the_originals_as_the_ceiling(
    call: Call, tiny_checkpoint: Path, people_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("eval", "-c", tiny_checkpoint, "--data", people_folder, "--split", "test")
    code, answer, _ = call(*arguments, "--by", "light", "--limit", 4)
    assert code == 0
    assert sum(row["images"] for row in answer["by"]["light"]) == 4
    assert {"n=0", "n=1", "bicubic", "wrong-person"} == set(answer["by"]["light"][0]["verified"])
    assert run([str(a) for a in (*arguments, "--by", "light,light", "--limit", 4, "--markdown")]) == 0
    printed = capsys.readouterr().out
    assert "| n=1 minus wrong-person |" in printed
    assert "| original |" in printed
    assert printed.count("by light**") == 1
    code, answer, _ = call(*arguments, "--by", "hair")
    assert (code, answer["hint"]) == (2, "one or more of: size,yaw,light")
    code, answer, _ = call(*arguments, "--by", "size")
    assert (code, "manifest.csv" in answer["error"]) == (5, True)


@pytest.mark.parametrize("judged", [True, False])
def test_tables_by_bin_fit_a_hundred_columns(judged: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """With the widest figures there are, and every figure on its own line, unfolded."""
    psnr, share, distance = Interval(25.46, 24.9, 26.02), Interval(1.0, 1.0, 1.0), Interval(-0.1546, -0.2567, -0.1345)
    methods = ("bicubic", "n=0", "n=3", "wrong-person")
    rows = [
        BinRow(
            name, 1160, 120, dict.fromkeys(methods, psnr), dict.fromkeys(methods, share) if judged else {},
            share if judged else None, distance if judged else None, share if judged else None,
        )
        for name in ("size < 192", "size 192-320", "size 320-512", "size >= 512", UNKNOWN)
    ]  # fmt: skip
    tables = bin_tables(rows)
    assert len(tables) == 1 + judged
    for columns, lines in tables:
        output.table(columns, lines)
        printed = capsys.readouterr().out.splitlines()
        assert max(len(line.rstrip()) for line in printed) <= 100
        assert len([line for line in printed if "size 192-320" in line]) == len(lines) / len(rows)
        assert all(cell in "".join(printed) for line in lines for cell in line)
