"""Writes what is measured and recorded into a shipped network's card; the rest of the card stays as it is.

    edgesr eval -c NETWORK --data FOLDER --split test --json > test.json      (and so on for every heading)
    python tools/network_card.py NETWORK test.json london.json

A card has a heading `### SPLIT`, or `### SPLIT, DEGRADATION` where that is not bicubic, for each file: from there to
its line "- N images, M people" is written anew. Between `<!-- training -->` and `<!-- /training -->` stands how the
weights came about, as config.json records it. README and docs have the chief figures of all files in one table,
between `<!-- measured:NETWORK -->` and `<!-- /measured -->`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from edgesr.errors import EdgesrError, UsageError  # noqa: E402
from edgesr.files.atomic import file_aside  # noqa: E402
from edgesr.models import PRESETS  # noqa: E402
from edgesr.models.architecture import NetworkConfig  # noqa: E402
from edgesr.models.description import SHIPPED, WEIGHTS, read_description, sha256_of, trained_for  # noqa: E402

CARD = "README.md"
NAMES = {"wrong-person": "wrong person"}
HEADING = re.compile(r"^### ([\w-]+)(?:, ([\w-]+))?$", re.MULTILINE)
TRAINING = re.compile(r"^<!-- training -->\n.*?^<!-- /training -->$", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SPLITS = ("test", "london", "val")
DATED = re.compile(r"^Date: ([\d-]+)\. SHA-256 `(\w+)…`\.$", re.MULTILINE)


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", help="a shipped name, or a checkpoint's folder")
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE")
    given = parser.parse_args()
    folder = SHIPPED / given.network if (SHIPPED / given.network).is_dir() else Path(given.network)
    try:
        measured = [json.loads(file.read_text()) for file in given.files]
        write_card(folder, measured)
        quote(PAGES, folder.name, measured)
    except EdgesrError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def write_card(folder: Path, measured: list[dict[str, Any]]) -> None:
    """The card of a checkpoint's folder with these evaluations and its training; written once, or not at all.

    Raises:
        UsageError: it has no heading of an evaluation.
    """
    path = folder / CARD
    card = path.read_text(encoding="utf-8")
    for one in measured:
        card = with_section(card, one, path)
    if TRAINING.search(card):
        made = training(folder, card)
        card = TRAINING.sub(lambda _: f"<!-- training -->\n{made}\n<!-- /training -->", card)
    with file_aside(path) as aside:
        aside.write_text(card, encoding="utf-8")


def quote(pages: list[Path], network: str, measured: list[dict[str, Any]]) -> None:
    """The chief figures into every page that has a block for them."""
    block = re.compile(rf"^<!-- measured:{re.escape(network)} -->\n.*?^<!-- /measured -->$", re.MULTILINE | re.DOTALL)
    table = "\n".join(summary(measured))
    for page in pages if measured else ():
        before = page.read_text(encoding="utf-8")
        after = block.sub(lambda _: f"<!-- measured:{network} -->\n{table}\n<!-- /measured -->", before)
        if after != before:
            with file_aside(page) as aside:
                aside.write_text(after, encoding="utf-8")


def summary(measured: list[dict[str, Any]]) -> Iterator[str]:
    """A row an evaluation: PSNR, and who is verified, with bicubic, no exemplar, the person's and a wrong person's."""
    columns = ("LR faces", "people", "bicubic", "n = 0", "the person's photos")
    verified = ("verified %: bicubic", "n = 0", "the person's photos", "as the wrong person")
    yield f"| {' | '.join((*columns, *verified))} |"
    yield "|---" * 9 + "|"
    for one in measured:
        rows = {row["method"]: row for row in one["rows"]}
        numbers = (int(method.removeprefix("n=")) for method in rows if method.startswith("n="))
        most = f"n={max(n for n in numbers if rows[f'n={n}']['images'] == one['images'])}"
        psnr = [f"{rows[method]['psnr']:.2f}" for method in ("bicubic", "n=0", most)]
        share = [""] * 4
        if one.get("verification"):
            share = [f"{100 * rows[method]['verified']:.1f}" for method in ("bicubic", "n=0", most)]
            share.append(f"{100 * rows['wrong-person']['verified_as_wrong']:.1f}")
        photos = f"`{one['split']}`, {one['people']} people, {most.replace('=', ' = ')}"
        yield f"| {one['degradation']} | {photos} | {' | '.join([*psnr, *share])} |"


def conditions(card: str) -> list[tuple[str, str]]:
    """Split and degradation of every heading that figures stand under."""
    found = ((match[1], match[2] or "bicubic") for match in HEADING.finditer(card))
    return [(split, degradation) for split, degradation in found if split in SPLITS]


def heading(split: str, degradation: str) -> str:
    """Of a section."""
    return f"### {split}" if degradation == "bicubic" else f"### {split}, {degradation}"


def with_section(card: str, measured: dict[str, Any], source: Path) -> str:
    """The card with the section of this evaluation written anew."""
    title = heading(measured["split"], measured["degradation"])
    pattern = rf"^{re.escape(title)}\n.*?^- \d+ images, \d+ people$"
    card, found = re.subn(pattern, lambda _: section(title, measured), card, flags=re.DOTALL | re.MULTILINE)
    if not found:
        raise UsageError(f"{source} has no {title!r} that ends in '- N images, M people'", "write both lines into it")
    return card


def section(title: str, measured: dict[str, Any]) -> str:
    """Heading, table, comparisons and counts."""
    lines = [title, "", *table(measured), ""]
    for pair in measured["comparisons"]:
        line = f"- {name(pair['method'])} minus {name(pair['minus'])}: **{pair['psnr']:+.3f} dB** "
        line += range_of(pair, "psnr", 3)
        if measured["identity_measure"]:
            line += f", identity {pair['identity']:+.4f} {range_of(pair, 'identity', 4)}"
            line += f", distance {pair['identity_distance']:+.3f} {range_of(pair, 'identity_distance', 3)}"
        if pair["verified"] is not None:
            line += f", verified {100 * pair['verified']:+.1f} points {range_of(pair, 'verified', 1, 100)}"
        lines.append(line)
    if verification := measured.get("verification"):
        originals = f"{100 * verification['originals']:.1f} % {range_of(verification, 'originals', 1, 100)}"
        lines.append(f"- verified: distance below {verification['threshold']:.3f}; of the originals {originals}")
    lines.append(f"- {measured['images']} images, {measured['people']} people")
    return "\n".join(lines)


def table(measured: dict[str, Any]) -> Iterator[str]:
    """A row a method; columns of what was not measured are left out."""
    columns = ["method", "PSNR dB [95 %]", "over bicubic", "SSIM"]
    if measured["identity_measure"]:
        columns += ["identity", "distance"]
    if measured.get("verification"):
        columns += ["verified % [95 %]", "as the wrong person % [95 %]"]
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for row in measured["rows"]:
        cells = [name(row["method"]), f"{row['psnr']:.2f} {range_of(row, 'psnr', 2)}", f"{row['over_bicubic']:+.2f}"]
        cells.append(f"{row['ssim']:.4f}")
        if measured["identity_measure"]:
            cells += [f"{row['identity']:.4f}", f"{row['identity_distance']:.3f}"]
        if measured.get("verification"):
            for key in ("verified", "verified_as_wrong"):
                cells.append(f"{100 * row[key]:.1f} {range_of(row, key, 1, 100)}")
        yield f"| {' | '.join(cells)} |"


def range_of(row: dict[str, Any], key: str, digits: int, times: float = 1) -> str:
    """The interval of a figure, in brackets."""
    low, high = (times * value for value in row[f"{key}_95"])
    return f"[{low:.{digits}f}, {high:.{digits}f}]"


def name(method: str) -> str:
    """Of a method, as cards have it."""
    return NAMES.get(method, method)


def training(folder: Path, card: str) -> str:
    """Data, command and history of a network's weights."""
    described = read_description(folder)
    record, sha256 = described.training, sha256_of(folder / WEIGHTS)
    config = record["train_config"]
    before = DATED.search(card)
    today = datetime.date.today().isoformat()
    date = before[1] if before and sha256.startswith(before[2]) else today
    lines = [
        f"Train split: {record['photos']:,} aligned photos of {record['people']} people; nobody of them is in another",
        f"split. LR faces are made by `{trained_for(record)}` ([what that is](../../../docs/evaluation.md)).",
        "",
        "```text",
        command(described.name, record, preset_of(described.config)),
        "```",
        "",
        f"{steps(record)} of {config['batch_size']} faces, averaged weights (EMA {config['ema']:g}), "
        f"{config['precision']}.",
    ]
    if " " in (start := str(record.get("initialised_from"))):
        lines.append(f"PROBE is {start}.")
    for file, digest in record.get("loss_files", {}).items():
        lines.append(f"{file.upper()} is the file with SHA-256 `{digest[:16]}…`.")
    earlier = record.get("before")
    while earlier:
        lines.append(f"They started from this network after {steps(earlier)} with `{trained_for(earlier)}`,")
        lines.append(f"which started from {earlier['initialised_from']}.")
        earlier = earlier.get("before")
    lines += ["", f"Date: {date}. SHA-256 `{sha256[:16]}…`."]
    return "\n".join(lines)


def steps(record: dict[str, Any]) -> str:
    """How far a training went."""
    done, planned = record["step"], record["train_config"]["steps"]
    return f"{done:,} steps" if done == planned else f"{done:,} of {planned:,} steps"


def preset_of(config: NetworkConfig) -> str | None:
    """The name under which `edgesr train --network` knows this configuration."""
    slots = {"slots": config.slots}  # no weight depends on them
    return next((name for name, known in PRESETS.items() if known.replace(**slots) == config), None)


def command(network: str, record: dict[str, Any], preset: str | None = None) -> str:
    """The `edgesr train` that a record is of: what is not a default. ``preset`` is the network's, where it has one."""
    from edgesr.cli.train import command as train
    from edgesr.training.config import TrainConfig
    from edgesr.training.setup import settings_for

    config, start = record["train_config"], record.get("initialised_from")
    loss = config.get("loss", {})
    weights = loss.get("weights", {})
    chosen = {**config, **config["curriculum"], **loss, **weights}
    chosen |= {"adversarial": weights.get("adv"), "perceptual": weights.get("per"), "correlation": weights.get("cor")}
    chosen["clean_share"] = config["curriculum"].get("clean")
    chosen["perceptual_backbone"] = loss.get("backbone")
    chosen |= {
        "name": network,
        "network": preset,
        "init": "PROBE" if start and " " in start else start,
    }
    option_of = {"lpips": "lpips_linear"}
    chosen |= {option_of.get(file, file): file.upper() for file in record.get("loss_files", {})}
    own = settings_for(PRESETS[preset], {}) if preset else TrainConfig()
    usual = {**vars(own), **vars(own.loss)}
    del usual["degradation"]  # its default is that of --init
    usual["precision"] = "bf16-mixed"  # its default is the reading machine's
    words = ["edgesr", "train", "../shared/faces"]
    for option in train.params:
        value = chosen.get(option.name or "")
        given = isinstance(option.default, int | float | str)
        default = option.default if given else usual.get(option.name or "")
        if isinstance(value, list):
            value = ",".join(f"{number:g}" for number in value)
        if value is None or isinstance(value, dict) or value == default:
            continue
        words += [option.opts[0], f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join(words)


if __name__ == "__main__":
    sys.exit(main())
