"""Two reports side by side: what changed beyond the spread is judged, and only what can be compared."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import Call

from edgesr.errors import UsageError
from edgesr.report import write
from edgesr.report.compare import Comparison, compare, comparison_html, comparison_markdown
from edgesr.report.report import Report, read_report
from edgesr.report.rows import Row
from edgesr.report.write import WrittenReport
from edgesr.residency import Residency

OLD = Path(__file__).parent.parent / "docs" / "reports" / "hime-small-x4" / "report.json"


@pytest.fixture(scope="module")
def old() -> Report:
    """The committed report of a shipped network."""
    return read_report(OLD)


def changed(report: Report, **fields: Any) -> Report:
    """The report with its second row changed: fields of the row, of its losses or of its latency."""

    def with_fields(row: Row) -> Row:
        parts = {"loss": row.loss, "latency": row.latency}
        for name, part in parts.items():
            own = {key: value for key, value in fields.items() if part and hasattr(part, key)}
            parts[name] = dataclasses.replace(part, **own) if part else part  # type: ignore[type-var]
        rest = {key: value for key, value in fields.items() if hasattr(row, key)}
        return dataclasses.replace(row, **parts, **rest)  # type: ignore[arg-type]

    rows = list(report.rows)
    rows[1] = with_fields(rows[1])
    return dataclasses.replace(report, rows=tuple(rows))


def judged(found: Comparison) -> dict[str, bool | None]:
    """The second artifact's figures that changed, or were judged."""
    return {one.name: one.better for one in found.pairs[1].figures if one.old != one.new or one.better is not None}


def test_a_report_beside_itself_has_no_change(old: Report) -> None:
    found = compare(old, old)
    assert not found.worse
    assert found.differences == ()
    assert [one.name for one in found.pairs[1].figures if one.change] == []
    assert found.headline == "Nothing changed beyond the spread of both reports"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"psnr_loss_mean": 9.0, "psnr_loss_95": (8.0, 10.0)}, {"lost, mean dB": False}),
        ({"psnr_loss_mean": -9.0, "psnr_loss_95": (-10.0, -8.0)}, {"lost, mean dB": True}),
        ({"psnr_loss_mean": 9.0, "psnr_loss_95": (-9.0, 10.0)}, {"lost, mean dB": None}),
        ({"psnr": 1.0}, {"PSNR dB": None}),
        ({"size_bytes": 1}, {"size": True}),
        ({"verified": (0.0, 0.0, 0.0)}, {"verified %": False}),
        ({"ms_median": 0.2, "ms_p10": 0.1, "ms_p90": 0.3}, {"ms a face": True}),
        ({"ratio": 90.0, "ratio_p10": 80.0, "ratio_p90": 99.0}, {"ratio to the first row": False}),
    ],
    ids=str,
)
def test_what_leaves_the_spread_is_judged(
    fields: dict[str, Any], expected: dict[str, bool | None], old: Report
) -> None:
    share = {"verified": (0.95, 0.9, 1.0)}
    assert judged(compare(changed(old, **share), changed(old, **{**share, **fields}))) == expected


def test_operators_that_left_a_backend_are_worse(old: Report) -> None:
    before = changed(old, residency={"restore": (Residency("XNNPACK", 9, 10, 1, {"gather": 1}),)})
    after = changed(old, residency={"restore": (Residency("XNNPACK", 8, 10, 2, {"gather": 2}),)})
    assert judged(compare(before, after)) == {"restore on XNNPACK": False}


def test_times_of_another_machine_and_quality_on_other_faces_are_not_judged(old: Report) -> None:
    slower = changed(old, ms_median=900.0, ms_p10=800.0, ms_p90=990.0, psnr_loss_mean=9.0, psnr_loss_95=(8.0, 10.0))
    elsewhere = dataclasses.replace(slower, machine=dataclasses.replace(old.machine, processor="another"))
    assert judged(compare(old, elsewhere)) == {"ms a face": None, "lost, mean dB": False}
    others = dataclasses.replace(slower, split=dataclasses.replace(old.split, name="others"))
    found = compare(old, others)
    assert judged(found) == {"ms a face": False, "lost, mean dB": None}
    assert [one.name for one in found.differences] == ["split"]
    assert len(found.incomparable) == 1


def test_networks_that_do_other_things_are_refused(old: Report) -> None:
    with pytest.raises(UsageError, match="x8"):
        compare(old, dataclasses.replace(old, scale=8))
    with pytest.raises(UsageError, match="no artifact"):
        compare(old, dataclasses.replace(old, rows=()))


def test_both_forms_show_every_figure_and_need_nothing_but_themselves(old: Report) -> None:
    fewer = dataclasses.replace(old, rows=old.rows[:-1])
    found = compare(old, changed(fewer, psnr_loss_mean=9.0, psnr_loss_95=(8.0, 10.0)))
    page, summary = comparison_html(found), comparison_markdown(found, "both.html")
    assert not re.search(r'(?:src|href)="(?!#)', page)
    for pair in found.pairs:
        for one in pair.figures:
            assert one.name in page
            assert f"| {one.name} | {one.old} | {one.new} |" in summary
    assert "only before" in page
    assert "only before" in summary
    assert "**worse**" in summary


def test_the_command_sets_two_reports_side_by_side_and_measures_nothing(
    call: Call, old: Report, tmp_path: Path
) -> None:
    new = tmp_path / "new.json"
    new.write_text(changed(old, psnr_loss_mean=9.0, psnr_loss_95=(8.0, 10.0)).to_json())
    code, said, _ = call("report", "--compare", OLD, new, "-o", tmp_path / "both.html")
    assert (code, said["ok"]) == (1, False)
    assert {Path(said[key]).name for key in ("comparison", "comparison_markdown")} == {"both.html", "both.md"}
    assert (tmp_path / "both.html").is_file()
    code, said, _ = call("report", "--compare", OLD, OLD, "-o", tmp_path / "both.html")
    assert (code, said["exit_code"]) == (2, 2), "nothing is replaced unasked"
    code, said, _ = call("report", "--compare", OLD, OLD, "-o", tmp_path / "same.html")
    assert (code, said["ok"]) == (0, True)
    assert json.loads(json.dumps(said))["differences"] == []


@pytest.fixture
def measured(old: Report, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Instead of measuring, a report with a worse figure takes the place of what is there; where."""
    places: list[Path] = []

    def write_report(page: Path, **_: Any) -> WrittenReport:
        places.append(page)
        found = changed(old, psnr_loss_mean=9.0, psnr_loss_95=(8.0, 10.0))
        page.with_suffix(".json").write_text(found.to_json())
        return WrittenReport(page, page.with_suffix(".json"), page.with_suffix(".md"), found)

    monkeypatch.setattr(write, "write_report", write_report)
    return places


def test_a_report_that_takes_the_olders_place_is_set_beside_what_was_there(
    call: Call, measured: list[Path], tmp_path: Path
) -> None:
    page, kept = tmp_path / "report.html", tmp_path / "report.json"
    kept.write_text(OLD.read_text())
    code, said, _ = call("report", "-c", "hime-small-x4", "--compare", kept, "-o", page, "--force")
    assert (code, said["ok"], measured) == (1, False, [page]), "a figure got worse"
    assert "**worse**" in Path(said["comparison_markdown"]).read_text()


@pytest.mark.parametrize(
    ("content", "network", "code"),
    [("{}", "hime-small-x4", 5), (None, "hime-small-x8", 2)],
    ids=["no report", "of another network"],
)
def test_an_older_report_that_cannot_be_compared_is_refused_before_anything_is_measured(
    content: str | None, network: str, code: int, call: Call, measured: list[Path], tmp_path: Path
) -> None:
    given = tmp_path / "old.json"
    given.write_text(OLD.read_text() if content is None else content)
    got, said, _ = call("report", "-c", network, "--compare", given, "-o", tmp_path / "new.html")
    assert (got, said["ok"], measured) == (code, False, [])
    assert list(tmp_path.iterdir()) == [given]
