"""``edgesr eval``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgesr.cli import early, output, progress
from edgesr.cli.computing import threads_option
from edgesr.cli.path import PATH
from edgesr.data import DEGRADATIONS
from edgesr.errors import UsageError
from edgesr.release import DEFAULT_CHECKPOINT

if TYPE_CHECKING:
    from edgesr.api import Model
    from edgesr.data.faces import EvalPair
    from edgesr.evaluation.methods import Measure, Methods
    from edgesr.evaluation.report import Report
    from edgesr.faces.identity import IdentityMeter

COUNTS = (0, 1, 3, 5)
WORST_SHOWN = 5
GROUPINGS = ("size", "yaw", "light")


@click.command("eval")
@click.option("--checkpoint", "-c", help=f"A shipped name or a folder. Default: {DEFAULT_CHECKPOINT}.")
@click.option("--bundle", "-b", type=PATH, help="Measure a converted bundle instead.")
@click.option("--no-exemplar-net", help="A checkpoint trained without exemplars, as another row.")
@click.option("--data", required=True, type=PATH, help="Folder <pixels>/<split>/<person>/<photo>.")
@click.option("--list", "list_file", type=PATH, help="Default: eval_list.csv in that folder.")
@click.option("--split", default="test", show_default=True)
@click.option(
    "--degradation",
    type=click.Choice(DEGRADATIONS),
    help="What the LR faces are made with. Default: what the network was trained for; the papers' is bicubic.",
)
@click.option("--limit", type=click.IntRange(1), help="Only the first targets of the list.")
@click.option("--identity/--no-identity", default=None, help="Default: on where edgesr[identity] is installed.")
@click.option("--embedder", type=PATH, help="An ONNX face embedder (as ArcFace) for identity instead of dlib's.")
@click.option("--lpips", type=PATH, help="LPIPS with AlexNet's weights from this safetensors file.")
@click.option("--lpips-linear", type=PATH, help="LPIPS's own weights. Default: in the same file.")
@click.option(
    "--every-stranger", is_flag=True, help="Restore with every other person's exemplars too: who is made whom."
)
@click.option("--by", metavar="SIZE,YAW,LIGHT", help="Tables by the sharp photos' size, yaw, light.")
@click.option("--csv", "csv_file", type=PATH, help="Write every image's figures to this file.")
@click.option("--against", type=PATH, help="Differences, face by face, to another network's --csv FILE.")
@click.option("--sheet", type=PATH, help="Write a picture of the worst and of other targets by every method.")
@click.option("--weights", type=PATH, help="Write a picture of exemplars with the network's weights drawn over them.")
@click.option("--correlation", type=PATH, help="Write a picture of faces with what the correlation loss compares.")
@click.option("--worst", default=WORST_SHOWN, show_default=True, type=click.IntRange(0), help="Worst images to list.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@threads_option
@output.force_option
@output.json_option
def command(
    checkpoint: str | None,
    bundle: Path | None,
    no_exemplar_net: str | None,
    data: Path,
    list_file: Path | None,
    split: str,
    degradation: str | None,
    limit: int | None,
    identity: bool | None,
    embedder: Path | None,
    lpips: Path | None,
    lpips_linear: Path | None,
    every_stranger: bool,
    by: str | None,
    csv_file: Path | None,
    against: Path | None,
    sheet: Path | None,
    weights: Path | None,
    correlation: Path | None,
    worst: int,
    markdown: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Measure on fixed pairs: bicubic, n = 0, 1, 3, 5 exemplars, a wrong person's and blank ones.

    \b
    PSNR and SSIM   on RGB, no border crop
    identity        cosine similarity of the face's embedding to the original's: 1 is equal, higher is
                    better. About 0.1 s an image with dlib; --no-identity goes without.
    GMACs           offline: encoding the exemplars, once per gallery; online: restoring one face

    Intervals are 95 % bootstrap intervals over people, since photos of one person are not independent. A target
    with fewer than n exemplars is left out of that row (see its images); differences are taken on the same targets.

    --by size,yaw,light adds a table each: size is the face's side in the photo that it was cut from (manifest.csv),
    yaw how far the nose lies beside the middle in eye distances, light the mean luminance of the face, 0 to 1.

    \b
    edgesr eval -c A --data FOLDER --csv a.csv; edgesr eval -c B --data FOLDER --against a.csv
    """
    if checkpoint and bundle:
        raise UsageError("--checkpoint and --bundle exclude each other", "measure one at a time")
    if markdown and as_json:
        raise UsageError("--markdown and --json exclude each other", "choose one")
    if lpips_linear and not lpips:
        raise UsageError("--lpips-linear needs --lpips", "give the backbone's weights too")
    wanted = groupings(by)
    check_outputs(csv_file, sheet, weights, correlation, force=force)
    early.network(bundle or checkpoint or DEFAULT_CHECKPOINT)
    if no_exemplar_net:
        early.network(no_exemplar_net)
    early.faces(data, split, list_file)
    early.files(embedder, lpips, lpips_linear, against)
    import edgesr
    from edgesr.cli import eval_against, eval_text
    from edgesr.data.degradation import preset
    from edgesr.data.faces import read_eval_list
    from edgesr.evaluation.against import Other
    from edgesr.evaluation.bins import bins
    from edgesr.evaluation.methods import Methods, measure_methods
    from edgesr.evaluation.report import Report
    from edgesr.evaluation.verification import Verification
    from edgesr.faces.identity import open_meter

    model = edgesr.load(bundle or checkpoint or edgesr.DEFAULT_CHECKPOINT)
    degradation = preset(degradation or model.degradation)
    plain = open_plain(no_exemplar_net, model) if no_exemplar_net else None
    all_pairs = read_eval_list(data, split, model.config.hr_size, list_file)
    allow_slots(model, all_pairs)
    meter = open_meter(identity, embedder, output.say)
    perceptual = lpips_measure(lpips, lpips_linear or lpips) if lpips else None
    pairs = all_pairs[:limit]
    other = Other.read(against, pairs) if against else None
    grouped = {name: grouped_by(name, pairs, data, model.config.hr_size) for name in wanted}
    methods = Methods(
        model.runtime,
        pairs,
        counts=COUNTS,
        with_blank=True,
        no_exemplar_net=plain.runtime if plain else None,
        others=all_pairs,
        degradation=degradation,
    )
    for count in [n for n in COUNTS if n <= model.runtime.interface.slots and n not in methods.counts]:
        output.say(f"note: no face of the list has {count} exemplars, so there is no row n={count}")
    verifiable = meter is not None and _verifiable(methods, all_pairs)
    verification = Verification(meter, all_pairs, methods.control) if meter and verifiable else None
    if every_stranger and verification is None:
        raise UsageError("--every-stranger needs identity, and two people with exemplars", "leave out --no-identity")
    if verification:
        verification.embed_photos(lambda paths: progress.track(paths, "embedding photos"))
    result = measure_methods(
        methods,
        pairs,
        measure=measure_with(meter, perceptual),
        verify=verification.measure if verification else None,
        progress=lambda items: progress.track(items, f"evaluating {split}"),
    )
    report = Report(result, pairs, methods, model.config, plain.config if plain else None)
    compared = other.differences(report) if other else []
    write_files(report, csv_file, sheet, worst)
    if weights:
        from edgesr.cli.eval_weights import weights_sheet
        from edgesr.files.atomic import file_aside

        with file_aside(weights) as aside:
            weights_sheet(methods, pairs).save(aside)
    if correlation:
        from edgesr.cli.eval_correlation import correlation_sheet
        from edgesr.files.atomic import file_aside

        with file_aside(correlation) as aside:
            correlation_sheet(methods, pairs).save(aside)
    verified = None
    if verification:
        verified = verification.summary()
        if every_stranger:
            every, count = verification.every_stranger(
                methods, pairs, lambda items: progress.track(items, "with every other person's exemplars")
            )
            verified |= {"every_stranger": every.mean, "every_stranger_95": [every.low, every.high]}
            verified["every_stranger_pairs"] = count
    originals = verification.originals.passed[: len(pairs)] if verification else None
    tables = {
        name: bins(result, groups, report.shown_by_bin, report.most, originals) for name, groups in grouped.items()
    }
    if as_json:
        by_bin = {name: [row.answer() for row in rows] for name, rows in tables.items()}
        found = answer(report, model, split, meter, worst) | {"verification": verified, "by": by_bin}
        if against:
            found["against"] = {"file": str(against), "differences": [one.to_dict() for one in compared]}
        output.write_json(found)
        return
    how = "" if degradation == "bicubic" else f", {degradation} degradation"
    title = f"{model.name} on {split}{how}: {len(pairs)} images, {len(set(result.people))} people"
    columns, rows = eval_text.table(report, verification.originals.verified if verification else None)
    remarks = eval_text.remarks(report, meter, worst, verified)
    by_tables = [
        (f"{model.name} on {split} by {name}{', verified' if i else ''}", *one)
        for name, found in tables.items()
        for i, one in enumerate(eval_text.bin_tables(found))
    ]
    if against:
        by_tables.append((f"{model.name} minus {against.name}, face by face", *eval_against.table(compared)))
    if markdown:
        output.write(eval_text.markdown(title, columns, rows, remarks))
        for one in by_tables:
            output.write("\n" + eval_text.markdown(*one, []))
        return
    output.table(columns, rows, title=title)
    for remark in remarks:
        output.write(remark)
    for heading, names, lines in by_tables:
        output.table(names, lines, title=heading)


def groupings(by: str | None) -> list[str]:
    """What ``--by`` names, each once.

    Raises:
        UsageError: something else.
    """
    wanted = list(dict.fromkeys(name.strip() for name in by.split(","))) if by is not None else []
    if unknown := [name for name in wanted if name not in GROUPINGS]:
        raise UsageError(f"--by {unknown[0]!r} is nothing to group by", f"one or more of: {','.join(GROUPINGS)}")
    return wanted


def grouped_by(name: str, pairs: list[EvalPair], data: Path, size: int) -> list[str]:
    """Each target's bin, before the long work: what is missing for it is said at once."""
    from edgesr.evaluation import bins as evaluation_bins
    from edgesr.faces.detection import open_detector

    if name == "size":
        values = evaluation_bins.sizes(data, size)
    elif name == "light":
        values = evaluation_bins.light
    else:
        paths = [pair.target for pair in pairs]
        values = evaluation_bins.yaws(open_detector(None, output.say), lambda p: progress.track(p, "yaw"), paths)
    return evaluation_bins.bin_names(name, pairs, values)


def _verifiable(methods: Methods, pairs: list[EvalPair]) -> bool:
    return methods.control > 0 and len({pair.person for pair in pairs}) > 1


def check_outputs(csv_file: Path | None, *pictures: Path | None, force: bool) -> None:
    """Refuse before any work what could not be written after it."""
    from PIL import Image

    given = [file for file in (csv_file, *pictures) if file]
    if len({file.resolve() for file in given}) < len(given):
        what = "--csv, --sheet, --weights and --correlation name one file twice"
        raise UsageError(what, "give each a file of its own")
    for file in given:
        if file.exists() and not force:
            raise UsageError(f"{file} already exists", "pass --force to replace it")
        if file.is_dir():
            raise UsageError(f"{file} is a folder", "name a file")
    for sheet in pictures:
        if sheet and sheet.suffix.lower() not in Image.registered_extensions():
            raise UsageError(f"cannot write {sheet.suffix or 'a picture without suffix'}", "use .png, .jpg or .webp")


def open_plain(name: str, model: Model) -> Model:
    """The network trained without exemplars; it must take the same faces."""
    import edgesr

    plain = edgesr.load(name)
    ours, theirs = model.config, plain.config
    if (ours.scale, ours.lr_size) != (theirs.scale, theirs.lr_size):
        raise UsageError(
            f"{plain.name} takes {theirs.lr_size} px x{theirs.scale}, {model.name} {ours.lr_size} px x{ours.scale}",
            "--no-exemplar-net takes a checkpoint of the same LR size and scale",
        )
    return plain


def allow_slots(model: Model, pairs: list[EvalPair]) -> None:
    """Slots for as many exemplars as the list has; a bundle's graph is fixed and keeps its own."""
    from edgesr.runtime.torch import TorchRuntime

    if isinstance(model.runtime, TorchRuntime):
        most = max((n for n in COUNTS if n <= max(len(pair.exemplars) for pair in pairs)), default=0)
        slots = max(most, model.interface.slots)
        model.runtime.interface = dataclasses.replace(model.interface, slots=slots)


def measure_with(meter: IdentityMeter | None, lpips: Measure | None) -> Measure:
    """PSNR and SSIM, and what else there is."""
    from edgesr.evaluation.metrics import psnr, ssim
    from edgesr.images.imaging import Pixels

    def measure(image: Pixels, truth: Pixels) -> dict[str, float]:
        figures = {"psnr": psnr(image, truth), "ssim": ssim(image, truth)}
        if meter:
            figures |= meter.compare(image, truth)
        if lpips:
            figures |= lpips(image, truth)
        return figures

    return measure


def lpips_measure(backbone: Path, linear: Path) -> Measure:
    """LPIPS on AlexNet, as papers report it; lower is better."""
    import torch

    from edgesr.images.imaging import Pixels, to_unit
    from edgesr.training.losses.lpips import LPIPS

    network = LPIPS.load("alexnet", backbone, linear).eval()

    @torch.inference_mode()
    def measure(image: Pixels, truth: Pixels) -> dict[str, float]:
        sr, hr = (torch.from_numpy(to_unit(i)).permute(2, 0, 1)[None] for i in (image, truth))
        return {"lpips": float(network(sr, hr))}

    return measure


def write_files(report: Report, csv_file: Path | None, sheet: Path | None, worst: int) -> None:
    from edgesr.files.atomic import file_aside

    if csv_file:
        with file_aside(csv_file) as aside:
            report.write_csv(aside)
    if sheet:
        with file_aside(sheet) as aside:
            report.sheet(worst).save(aside)


def answer(report: Report, model: Model, split: str, meter: IdentityMeter | None, worst: int) -> dict[str, Any]:
    """The JSON object."""
    from edgesr.models.registry import architecture_of

    cost = architecture_of(model.config).complexity(model.config)
    comparisons = [row.to_dict() for row in report.comparisons()]
    found: dict[str, Any] = {
        "name": model.name,
        "runtime": model.runtime.name,
        "split": split,
        "degradation": report.methods.degradation,
        "images": len(report.pairs),
        "people": len(set(report.result.people)),
        "parameters": cost.parameters,
        "gmacs_encode": cost.macs_encode / 1e9,
        "gmacs_restore": cost.macs_restore / 1e9,
        "slots": model.interface.slots,
        "rows": [row.to_dict() for row in report.rows()],
        "comparisons": comparisons,
        "worst": [report.target(i).to_dict() for i in report.worst(worst)],
        "identity_measure": "cosine similarity to the original, higher is better" if meter else None,
        "identity_embedder": meter.embedder.name if meter else None,
        "identity_undetected": meter.undetected if meter else None,
    }
    for row in comparisons:
        if row["minus"] == "wrong-person":
            found["right_minus_wrong"] = row
    return found
