"""The report says what it measured, of what, and what it is without; it needs nothing but itself."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY, lively
from test_device_results import DEVICE

from edgesr.cli.main import run
from edgesr.errors import EXIT_IO, EXIT_OK, EXIT_USAGE, InputOutputError, UsageError
from edgesr.models import load_checkpoint, save_checkpoint
from edgesr.report.layers import read_sensitivity
from edgesr.report.measure import Restorer
from edgesr.report.page import report_html, report_markdown, rewrite, with_figures
from edgesr.report.report import Report, read_report
from edgesr.report.subject import faces_of_samples, spread
from edgesr.report.verdict import few
from edgesr.report.write import choose_faces
from edgesr.runtime.torch import TorchRuntime

pytest.importorskip("onnxruntime", reason="the tiny bundles are ONNX: pip install 'edgesr[onnx]'")
pytest.importorskip("matplotlib", reason="charts: pip install 'edgesr[report]'")
pytest.importorskip("cattrs", reason="reading reports: pip install 'edgesr[report]'")

LAYER = "restore.reconstructor.blocks.0.conv1"
SENSITIVITY = [
    {
        "graph": "restore",
        "layer": LAYER,
        "kind": "conv",
        "macs": 1000,
        "only_loss_db": 0.03,
        "spared_gain_db": 0.02,
        "sqnr_db": 31.0,
        "weight_range": [-1.0, 1.0],
        "activation_range": [-1.0, 2.0],
    },
]


@dataclasses.dataclass(frozen=True)
class Made:
    """A report on disk, and what the command printed."""

    page: str
    data: dict[str, Any]
    markdown: str
    folder: Path

    @property
    def report(self) -> Report:
        """Read back from its JSON."""
        return read_report(self.folder / "report.json")


@pytest.fixture(scope="module")
def made(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Of a tiny network as ONNX fp32 and fp16 on three sample faces; int8 has no network and must say so."""
    folder = tmp_path_factory.mktemp("report")
    phone, layers = folder / "phone.json", folder / "sensitivity.json"
    phone.write_text(json.dumps(DEVICE))
    layers.write_text(json.dumps(SENSITIVITY))
    arguments = [
        "report", "--checkpoint", str(tiny_checkpoint), "--targets", "onnx", "--precisions", "fp32,fp16,int8",
        "--limit", "3", "--no-identity", "--runs", "3", "--worst", "2", "--device-results", str(phone),
        "--sensitivity", str(layers), "--output", str(folder / "report.html"),
    ]  # fmt: skip
    assert run(arguments) == EXIT_OK
    read = {kind: (folder / f"report.{kind}").read_text() for kind in ("html", "json", "md")}
    return Made(read["html"], json.loads(read["json"]), read["md"], folder)


class Page(html.parser.HTMLParser):
    """Addresses, ids, tags and text of a page; fails on tags that do not close."""

    VOID = ("meta", "img", "br", "use", "path")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.rows: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = {name: value or "" for name, value in attrs}
        self.addresses += [
            v for k, v in given.items() if k in ("src", "href", "xlink:href", "srcset", "data", "action")
        ]
        self.addresses += re.findall(r"url\(([^)]*)\)", given.get("style", ""))
        self.ids += [given["id"]] if "id" in given else []
        if tag not in self.VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "tr" in self._open:
            self.rows[-1] += f" {' '.join(data.split())}"


def test_the_page_needs_nothing_but_itself(made: Made) -> None:
    page = Page(made.page)
    assert page.tags & {"script", "link", "iframe", "object", "embed", "base"} == set()
    outside = [address for address in page.addresses if not address.startswith(("#", "data:image/"))]
    assert outside == []
    styles = "".join(re.findall(r"<style.*?</style>", made.page, re.DOTALL))
    assert "@import" not in styles
    assert "@font-face" not in styles
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", made.page)


def test_links_lead_to_places_that_are_there_once(made: Made) -> None:
    page = Page(made.page)
    assert len(page.ids) == len(set(page.ids))
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= set(page.ids)
    assert f"layer-{LAYER}" in page.ids


def test_every_row_is_on_the_page_and_what_could_not_run_says_why(made: Made) -> None:
    rows = Page(made.page).rows
    assert [row["precision"] for row in made.data["rows"]] == ["fp32", "fp16"]
    for row in made.data["rows"]:
        assert any(text.strip().startswith(row["precision"]) and f"{row['psnr']:.2f}" in text for text in rows)
    assert [(m["target"], m["precision"]) for m in made.data["missing"]] == [("onnx", "int8")]
    why = " ".join(made.data["missing"][0]["why"].split())
    assert any(text.strip().startswith("int8") and why in text for text in rows)
    assert why in made.markdown


def test_colours_are_the_pages_own(made: Made) -> None:
    """A colour of matplotlib's in a chart would not turn with light and dark."""
    charts = "".join(re.findall(r"<svg.*?</svg>", made.page, re.DOTALL))
    assert charts.count("<svg") == 8  # four charts, each for a wide and for a narrow window
    assert set(re.findall(r"(?:fill|stroke): (?!none)([^;\"]+)", charts)) <= {
        f"var(--{name})" for name in re.findall(r"--([\w-]+):", made.page)
    }


def test_missing_parts_are_named_with_the_command_that_supplies_them(made: Made) -> None:
    absent = {part["part"]: part["command"] for part in made.data["absent"]}
    assert set(absent) == {"identity", "layers to blame for the worst faces"}
    for part, command in absent.items():
        assert part in made.page
        assert command in made.markdown


def test_figures_are_those_of_the_artifact(made: Made, tiny_checkpoint: Path) -> None:
    """fp32 in ONNX loses nothing against PyTorch; the means are those of the faces, measured here once more."""
    checkpoint = load_checkpoint(tiny_checkpoint)
    faces = spread(faces_of_samples(checkpoint.model.interface), 3)
    restore = Restorer(TorchRuntime(checkpoint.model))
    from edgesr.evaluation.metrics import psnr, ssim

    expected = np.mean([psnr(restore(face), face.truth) for face in faces])
    fp32, fp16 = made.data["rows"]
    assert made.data["anchors"]["float"]["psnr"] == pytest.approx(expected, abs=1e-6)
    assert fp32["psnr"] == pytest.approx(expected, abs=0.01)
    assert fp32["ssim"] == pytest.approx(np.mean([ssim(restore(face), face.truth) for face in faces]), abs=1e-3)
    assert abs(fp32["psnr_loss_max"]) < 0.01
    assert len(fp32["loss_per_face"]) == fp32["faces"] == 3
    assert fp16["size_bytes"] < fp32["size_bytes"]
    assert fp32["ratio"] == 1.0
    assert fp32["ms_p10"] <= fp32["ms_median"] <= fp32["ms_p90"]
    assert fp32["identity_loss"] is None


def test_nothing_of_this_machine_is_written_down(made: Made) -> None:
    for text in (made.page, made.markdown, json.dumps(made.data)):
        assert str(made.folder) not in text
        assert str(Path.home()) not in text or str(Path.home()) == "/"


def test_an_existing_report_is_refused_before_anything_is_measured(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", "--output", str(made.folder / "report.html"), "--json"]) == EXIT_USAGE
    assert "already exists" in json.loads(capsys.readouterr().out)["error"]


def test_given_bundles_are_measured_and_figures_kept(
    made: Made, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same bundles again: no face is measured anew, and the ratios are those of the run before."""
    kept = {
        path: path.read_bytes()
        for path in (made.folder / "report.work").glob("**/*.json*")
        if "bundles" not in str(path)
    }
    arguments = [
        "report", "--checkpoint", str(tiny_checkpoint), "--bundles", str(made.folder / "report.work" / "bundles"),
        "--limit", "3", "--no-identity", "--runs", "3", "--worst", "0", "--work", str(made.folder / "report.work"),
        "-o", str(made.folder / "again.html"), "--json",
    ]  # fmt: skip
    assert run(arguments) == EXIT_OK
    printed = json.loads(capsys.readouterr().out)
    promised = {
        "precision", "target", "psnr", "psnr_loss_mean", "psnr_loss_max", "identity_loss", "size_bytes", "ms_median",
        "ratio",
    }  # fmt: skip
    assert printed["ok"] is True
    assert all(promised <= set(row) for row in printed["rows"])
    assert [row["ms_median"] for row in printed["rows"]] == [row["ms_median"] for row in made.data["rows"]]
    assert {path: path.read_bytes() for path in kept} == kept
    page = (made.folder / "again.html").read_text()
    assert "No faces are shown" in page
    assert "Layer sensitivity was not measured: no folder of faces" in page


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--targets", "android"], EXIT_USAGE, "unknown target 'android'"),
        (["--precisions", "int7"], EXIT_USAGE, "unknown precision 'int7'"),
        (["--checkpoint", "nobody"], EXIT_IO, "no checkpoint 'nobody'"),
        (["--bundles", "nowhere"], EXIT_IO, "no bundle nowhere"),
        (["--device-results", "nowhere.json"], EXIT_IO, "no file nowhere.json"),
        (["--split", "test"], EXIT_USAGE, "are of a folder of faces"),
        (["--quantized", "hime-small-x4"], EXIT_USAGE, "is a float network"),
        (["-o", "report.pdf"], EXIT_USAGE, "its name ends in .html"),
        (["--targets", "onnx", "--precisions", "mixed"], 3, "there is nothing to measure"),
    ],
)
def test_bad_input_is_refused(
    arguments: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["report", *arguments, "--sensitivity-faces", "0", "--json"]) == code
    failure = json.loads(capsys.readouterr().out)
    assert said in f"{failure['error']} {failure['hint']}"
    assert not list(tmp_path.glob("report.*[!k]"))


def test_bundles_of_another_network_are_refused(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_checkpoint(tmp_path / "other", "other", lively(TINY, seed=1), training={})
    bundle = next((made.folder / "report.work" / "bundles").iterdir())
    arguments = ["--checkpoint", str(tmp_path / "other"), "--bundles", str(bundle), "-o", str(tmp_path / "r.html")]
    assert run(["report", *arguments, "--no-identity", "--json"]) == EXIT_USAGE
    assert "feature space" in json.loads(capsys.readouterr().out)["error"]


def test_results_of_another_network_are_marked(made: Made) -> None:
    assert any("Pixel 8, Android 16" in text and "another" in text for text in Page(made.page).rows)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot read"),
        ("[]", "holds no layer sensitivities"),
        ('[{"layer": "a"}]', "row 0 has no graph"),
        (json.dumps([{**SENSITIVITY[0], "only_loss_db": "much"}]), "not a number"),
    ],
)
def test_damaged_sensitivities_are_refused(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(InputOutputError, match=said):
        read_sensitivity(tmp_path / "s.json")


@pytest.mark.parametrize(
    ("splits", "show", "measured", "shown"),
    [
        ((), None, ["test"], "samples"),
        (("test", "val"), "samples", ["test", "val"], "samples"),
        (("test",), "val", ["test", "val"], "val"),
        (("samples",), None, ["samples"], "samples"),
    ],
)
def test_a_shown_split_is_measured_but_samples_beside_a_folder_are_only_shown(
    splits: tuple[str, ...], show: str | None, measured: list[str], shown: str, people_folder: Path
) -> None:
    tables, pictures = choose_faces(people_folder, splits, show, 2, TINY, "bicubic")
    assert [split.name for split in tables] == measured
    assert pictures.name == shown
    assert len(pictures.faces) == 2


# Reading reports


def test_what_is_read_back_is_what_was_written(made: Made) -> None:
    """The page is drawn from the JSON alone, but for the faces; so is the summary."""
    report = made.report
    assert json.loads(report.to_json()) == made.data
    assert report_markdown(report, "report.html") == made.markdown
    again = Page(report_html(report))
    assert again.rows == Page(made.page).rows
    assert not any(address.startswith("data:") for address in again.addresses)


@pytest.mark.parametrize("network", ["hime-small-x4", "hime-small-x4-photo"])
def test_reports_of_an_edgesr_that_knew_less_are_read(network: str) -> None:
    path = Path(__file__).parent.parent / "docs" / "reports" / network / "report.json"
    report, stored = read_report(path), json.loads(path.read_text())
    written = json.loads(report.to_json())
    assert stored.keys() <= written.keys()
    for old, new in zip(stored["rows"], written["rows"], strict=True):
        assert old == {key: new[key] for key in old}
    assert [line.text for line in report.verdict.lines] == [line["text"] for line in stored["verdict"]["lines"]]
    assert report.name in report_html(report)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.update(format="other"), "is no report"),
        (lambda data: data.update(format_version=2), "format version 2"),
        (lambda data: data["rows"][1].pop("psnr"), "psnr"),
        (lambda data: data["rows"][0].update(size_bytes="much"), "size_bytes"),
        (lambda data: data.update(verdict=[]), "verdict"),
        (lambda data: data.update(rows={"onnx": 1}), "rows"),
    ],
)
def test_damaged_reports_are_refused_by_field(made: Made, change: Any, said: str, tmp_path: Path) -> None:
    data = json.loads(json.dumps(made.data))
    change(data)
    file = tmp_path / "report.json"
    file.write_text(json.dumps(data))
    with pytest.raises(InputOutputError) as error:
        read_report(file)
    assert said in error.value.what
    assert str(file) in error.value.what
    assert "\n" not in error.value.what


# Quoted figures


def test_marked_figures_are_written_anew_and_nothing_else(made: Made, tmp_path: Path) -> None:
    block: Callable[[str, str], str] = lambda name, inside: f"<!-- figures:{name} -->\n{inside}\n<!-- /figures -->"  # noqa: E731
    text = f"# Before\n\n{block('tiny/short-table', 'old')}\n\nbetween\n\n{block('other/table', 'theirs')}\n"
    file, untouched = tmp_path / "README.md", tmp_path / "plain.md"
    file.write_text(text)
    untouched.write_text("no figures here\n")
    assert rewrite([file, untouched], made.report) == [file]
    after = file.read_text()
    assert "| ONNX | fp32 |" in after
    assert "old" not in after
    assert block("other/table", "theirs") in after
    assert after.startswith("# Before\n\n<!-- figures:tiny/short-table -->\n|")
    assert rewrite([file, untouched], made.report) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- figures:tiny/cake -->\nx\n<!-- /figures -->\n", "unknown figures 'cake'"),
        ("<!-- figures:tiny/table -->\nx\n", "without its twin"),
        ("<!-- /figures -->\n", "without its twin"),
    ],
)
def test_faulty_marks_are_refused(made: Made, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        with_figures(text, made.report)


@pytest.mark.parametrize(
    ("faces", "people", "said"),
    [(2, 1, "2 faces of 1 person alone"), (30, 6, "30 faces of 6 people alone"), (20, 10, ""), (160, 20, "")],
)
def test_very_few_faces_are_said_to_be_few(faces: int, people: int, said: str) -> None:
    assert said in few(faces, people)
    assert bool(few(faces, people)) == bool(said)
