"""`edgesr eval`: its rows, intervals, files and remarks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from conftest import Call, MakePeople
from PIL import Image
from safetensors.torch import save_file

from edgesr.cli.main import run


def test_eval_gives_every_method_with_its_interval(
    call: Call, tiny_checkpoint: Path, people_folder: Path, tmp_path: Path
) -> None:
    sheet, table = tmp_path / "sheet.png", tmp_path / "made" / "images.csv"
    arguments = ("eval", "-c", tiny_checkpoint, "--no-exemplar-net", tiny_checkpoint, "--data", people_folder)
    outputs = ("--split", "test", "--limit", 3, "--csv", table, "--sheet", sheet)
    code, answer, _ = call(*arguments, *outputs)
    assert code == 0
    methods = ["bicubic", "no-exemplar-net", "n=0", "n=1", "wrong-person", "blank"]
    assert [row["method"] for row in answer["rows"]] == methods
    for row in answer["rows"]:
        for metric in ("psnr", "ssim", "identity"):
            assert row[f"{metric}_95"][0] <= row[metric] <= row[f"{metric}_95"][1]
    assert set(answer) >= {"split", "images", "people", "rows", "parameters", "gmacs_encode", "gmacs_restore", "worst"}
    assert (answer["right_minus_wrong"]["method"], answer["right_minus_wrong"]["minus"]) == ("n=1", "wrong-person")
    assert "higher is better" in answer["identity_measure"]
    assert len(table.read_text().splitlines()) == 1 + 3 * len(methods)
    with Image.open(sheet) as picture:
        assert picture.width > 8 * 192
    before = sheet.read_bytes()
    code, answer, _ = call(*arguments, *outputs)
    assert (code, answer["error"]) == (2, f"{table} already exists")
    assert sheet.read_bytes() == before
    code, *_ = call(*arguments, "--force", "--no-identity", *outputs)
    assert code == 0
    assert sorted(p.name for p in tmp_path.rglob("*.*")) == ["images.csv", "sheet.png"], "nothing is left aside"


def test_eval_offers_only_rows_that_exemplars_and_slots_are_there_for(
    call: Call, tiny_checkpoint: Path, tiny_bundle: Path, make_people: MakePeople
) -> None:
    folder = make_people({"ann": 6, "bob": 6, "eve": 4}, size=32, split="test")
    lines = ["split,target,ref1,ref2,ref3,ref4,ref5"]
    for name, count in (("ann", 6), ("bob", 6), ("eve", 4)):
        photos = [f"test/{name}/{i + 1:02}.png" for i in range(count)]
        lines.append(",".join(["test", *photos, *[""] * (6 - count)]))
    (folder / "eval_list.csv").write_text("\n".join(lines) + "\n")
    _, answer, _ = call("eval", "-c", tiny_checkpoint, "--data", folder, "--no-identity")
    images = {row["method"]: row["images"] for row in answer["rows"]}
    assert images == {"bicubic": 3, "n=0": 3, "n=1": 3, "n=3": 3, "n=5": 2, "wrong-person": 3, "blank": 3}
    assert answer["right_minus_wrong"]["method"] == "n=3", "eve has no five"
    _, answer, _ = call("eval", "-b", tiny_bundle, "--data", folder, "--no-identity")
    assert answer["slots"] == 2
    assert [row["method"] for row in answer["rows"]] == ["bicubic", "n=0", "n=1", "wrong-person", "blank"]


def test_eval_measures_lpips_where_its_weights_are_given(
    call: Call, tiny_checkpoint: Path, people_folder: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    alexnet = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
    tensors = {}
    for i, (layer, (out, into, side)) in enumerate(alexnet.items()):
        tensors[f"features.{layer}.weight"] = torch.randn(out, into, side, side) / (into * side**2) ** 0.5
        tensors[f"features.{layer}.bias"] = torch.zeros(out)
        tensors[f"lin{i}.model.1.weight"] = torch.rand(1, out, 1, 1)
    save_file(tensors, tmp_path / "lpips.safetensors")
    arguments = ("eval", "-c", tiny_checkpoint, "--data", people_folder, "--limit", 2, "--no-identity")
    _, answer, _ = call(*arguments, "--lpips", tmp_path / "lpips.safetensors")
    assert all(row["lpips_95"][0] <= row["lpips"] <= row["lpips_95"][1] for row in answer["rows"])
    assert answer["rows"][0]["lpips"] > 0
    code, answer, _ = call(*arguments, "--lpips", tmp_path / "nothing.safetensors")
    assert (code, "nothing.safetensors" in answer["error"]) == (5, True)


def test_eval_without_identity_says_so_once(
    call: Call, tiny_bundle: Path, people_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)  # as where it is not installed
    arguments = ("eval", "-b", tiny_bundle, "--data", people_folder, "--limit", 2)
    code, answer, stderr = call(*arguments)
    assert (code, answer["rows"][0]["identity"], answer["identity_measure"]) == (0, None, None)
    assert stderr.count("edgesr[identity]") == 1
    assert "wrong-person" in [row["method"] for row in answer["rows"]]
    code, answer, stderr = call(*arguments, "--no-identity")
    assert (code, "identity" in stderr) == (0, False)
    code, answer, _ = call(*arguments, "--identity")
    assert (code, "edgesr[identity]" in answer["hint"]) == (3, True)


def test_eval_prints_one_table(tiny_checkpoint: Path, people_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["eval", "-c", str(tiny_checkpoint), "--data", str(people_folder), "--no-identity", "--worst", "1"]
    assert run(arguments) == 0
    plain = capsys.readouterr().out
    assert run([*arguments, "--markdown"]) == 0
    markdown = capsys.readouterr().out
    for printed in (plain, markdown):
        assert "n=1 minus wrong-person" in printed
        assert printed.count("worst: ") == 1
        assert "identity" not in printed
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert rows[0].startswith("| method | PSNR dB [95 %] | over bicubic | SSIM |")
    assert {row.count("|") for row in rows} == {8}
    assert len(rows) == 2 + 5 + 1, "the methods, and right minus wrong"
