"""After a retraining: shipped weights, int8 form, figures, report and pictures. Resumable; see docs/release.md.

python tools/release.py --faces ../shared/faces [--network NAME] [--weights RUN] [--steps weights,int8,...] [--again]
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import network_card  # noqa: E402
import shipped_graphs  # noqa: E402

from edgesr.data.faces import eval_splits  # noqa: E402
from edgesr.errors import EXIT_NEGATIVE, EXIT_OK, EXIT_USAGE, EdgesrError, UsageError  # noqa: E402
from edgesr.files.atomic import file_aside  # noqa: E402
from edgesr.models.checkpoint import SHIPPED, load_checkpoint, save_checkpoint, shipped_names  # noqa: E402
from edgesr.models.description import WEIGHTS, find_checkpoint, read_description, sha256_of  # noqa: E402
from edgesr.models.shipped import PHOTO_NETWORKS  # noqa: E402
from edgesr.release import DEFAULT_CHECKPOINT  # noqa: E402
from edgesr.report.page import rewrite  # noqa: E402
from edgesr.report.report import Report, read_report  # noqa: E402
from edgesr.report.rows import Losses, broken  # noqa: E402
from edgesr.report.subject import SAMPLES, Limits  # noqa: E402

STEPS = ("weights", "int8", "graphs", "figures", "search", "report", "pictures")
QUICK = ("weights", "int8", "graphs", "figures", "report", "pictures")
GOALS = Limits(psnr_loss_mean=0.03, psnr_loss_max=0.2, identity_loss=0.002)
"""What int8 may lose on the report's faces through an artifact: dB on average and on the worst face; similarity."""
SECOND = "london"
"""The report's further split, where the faces have it."""
ARTIFACT = "artifact | int8 |"
"""In the rows of an int8 card's table that come from the report."""


def main() -> int:
    """Run what is not done yet; the exit code of the first step that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=Path("../shared/faces"), help="aligned faces with eval_list.csv")
    parser.add_argument("--network", default=DEFAULT_CHECKPOINT, help="a shipped float network")
    parser.add_argument("--weights", type=Path, help="a checkpoint, or a training's folder, that takes its place")
    parser.add_argument("--steps", default=",".join(QUICK), help=f"of {', '.join(STEPS)}; search takes an hour")
    parser.add_argument("--qat-steps", type=int, default=100)
    parser.add_argument("--limit", type=int, help="faces of a split for figures and report, where time is short")
    parser.add_argument("--targets", default="executorch,coreml,tflite,onnx", help="of the report")
    parser.add_argument("--precisions", default="fp32,fp16,int8", help="of the report")
    parser.add_argument("--sensitivity-faces", type=int, default=0, help="of the report; 8 take an hour")
    parser.add_argument("--identity-embedder", type=Path, help="an ONNX embedder instead of dlib's")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time, of one thread each")
    parser.add_argument("--again", action="store_true", help="train int8, measure figures and search the recipe anew")
    given = parser.parse_args()
    wanted = given.steps.split(",")
    if unknown := set(wanted) - set(STEPS):
        say(f"unknown steps: {', '.join(sorted(unknown))}")
        return EXIT_USAGE
    if not (given.faces / "eval_list.csv").is_file():
        say(f"no faces in {given.faces}: --faces FOLDER (make release FACES=FOLDER)")
        return EXIT_USAGE
    try:
        if "weights" in wanted and given.weights:
            take(given.network, given.weights)
        work: list[Callable[[], int]] = []
        if "int8" in wanted:
            work.append(lambda: quantize(given))
        if "figures" in wanted:
            work += evaluations(given)
        code = at_once(work, given.jobs)
        if not code and "graphs" in wanted and given.network in PHOTO_NETWORKS:
            code = shipped_graphs.main([given.network, f"{given.network}-int8"])
        if not code and "figures" in wanted:
            write_figures(given)
        if not code and "search" in wanted:
            code = search(given)
        if not code:
            made = {"report": report, "pictures": pictures}
            code = at_once([lambda make=made[step]: make(given) for step in made if step in wanted], given.jobs)
        return code
    except EdgesrError as error:
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted: the same command goes on")
        return 130


def take(network: str, weights: Path) -> None:
    """Ship these weights under the network's name; its card stays, and its record says what came before."""
    folder, source = SHIPPED / network, find_checkpoint(weights)
    new = load_checkpoint(source)
    training = dict(new.training)
    former = None
    if network in shipped_names():
        old = load_checkpoint(network)
        former = old.feature_space
        if old.sha256 == new.sha256:
            say(f"{network} has these weights already")
            return
        if training.get("initialised_from") == network:  # from what was shipped when that training began
            same_run = all(old.training.get(key) == training.get(key) for key in ("initialised_from", "train_config"))
            training["before"] = old.training.get("before") if same_run else old.training
    if not (folder / network_card.CARD).is_file():
        raise UsageError(f"{folder} has no card", f"write {network_card.CARD} with the headings of another network's")
    save_checkpoint(
        folder,
        network,
        new.model,
        training=training,
        feature_scales=new.feature_scales,
        feature_space=new.feature_space if new.name == network else None,
    )
    network_card.write_card(folder, [])
    say(f"{network} has the weights of {source}")
    if former and former != read_description(folder).feature_space:
        say(f"galleries of {former} are to be built anew: add it to EARLIER_SPACES in edgesr/models/shipped.py")


def quantize(given: argparse.Namespace) -> int:
    """The int8 twin, unless there is one of just these float weights."""
    name = f"{given.network}-int8"
    source = load_checkpoint(given.network)
    if name in shipped_names() and not given.again:
        made_of = (read_description(SHIPPED / name).quantization or {}).get("float_sha256")
        if made_of == source.sha256:
            say(f"{name} is made of the float network's present weights")
            return EXIT_OK
    mixed(given.network).unlink(missing_ok=True)  # of other weights
    run = work_folder(given) / "qat"
    return edgesr(
        "quantize", given.network, "--data", given.faces, "--steps", given.qat_steps, "--name", name,
        "--run", run, "--output", SHIPPED / name, "--force",
    )  # fmt: skip


def evaluations(given: argparse.Namespace) -> list[Callable[[], int]]:
    """Figures for each heading of the card, unless they are there: measured as files of the work folder."""
    card = (SHIPPED / given.network / network_card.CARD).read_text(encoding="utf-8")
    return [
        lambda split=split, degradation=degradation: evaluate(given, split, degradation)  # type: ignore[misc]
        for split, degradation in network_card.conditions(card)
    ]


def evaluate(given: argparse.Namespace, split: str, degradation: str) -> int:
    """One split under one degradation."""
    file = figures_file(given, split, degradation)
    if file.is_file() and not given.again:
        return EXIT_OK
    embedder = ("--embedder", given.identity_embedder) if given.identity_embedder else ()
    limit = ("--limit", given.limit) if given.limit else ()
    with file_aside(file) as aside, aside.open("w") as stream:
        code = edgesr(
            "eval", "-c", given.network, "--data", given.faces, "--split", split, "--degradation", degradation,
            "--identity", *embedder, *limit, "--json", stdout=stream,
        )  # fmt: skip
        if code:
            raise UsageError(f"edgesr eval of {split}, {degradation} ended with {code}", "see what it printed")
    return code


def write_figures(given: argparse.Namespace) -> None:
    """Into the card."""
    folder = SHIPPED / given.network
    card = (folder / network_card.CARD).read_text(encoding="utf-8")
    files = [figures_file(given, *condition) for condition in network_card.conditions(card)]
    measured = [json.loads(file.read_text()) for file in files]
    network_card.write_card(folder, measured)
    network_card.quote(network_card.PAGES, given.network, measured)
    say(f"figures written into the card of {given.network}")


def search(given: argparse.Namespace) -> int:
    """The report's mixed recipe, unless there is one."""
    recipe = mixed(given.network)
    if recipe.is_file() and not given.again:
        say(f"{recipe.relative_to(ROOT)} is there; --again searches anew")
        return EXIT_OK
    return edgesr("quantize", given.network, "--data", given.faces, "--search", "--output", recipe, "--force")


def report(given: argparse.Namespace) -> int:
    """Bundles and the report; what was measured before on the same files is not measured again."""
    page = ROOT / folder(given.network) / "report.html"
    recipe = mixed(given.network)
    options: list[object] = ["--recipe", recipe] if recipe.is_file() else []
    options += ["--embedder", given.identity_embedder] if given.identity_embedder else []
    options += ["--limit", given.limit] if given.limit else []
    options += ["--split", SECOND] if SECOND in eval_splits(given.faces / "eval_list.csv") else []
    # What is committed shows the people whose photos come with the package, and nobody else.
    options += ["--show", SAMPLES]
    code = edgesr(
        "report", "--checkpoint", given.network, "--data", given.faces, "--split", "test",
        "--targets", given.targets, "--precisions", given.precisions + (",mixed" if recipe.is_file() else ""),
        "--sensitivity-faces", given.sensitivity_faces, "--work", work_folder(given) / "report",
        *options, "--output", page, "--force",
    )  # fmt: skip
    if code not in (EXIT_OK, EXIT_NEGATIVE):
        return code
    found = read_report(page.with_suffix(".json"))
    for file in rewrite([ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], found):
        say(f"figures written into {file.relative_to(ROOT)}")
    write_losses(SHIPPED / f"{given.network}-int8" / network_card.CARD, found)
    return code or goals(found)


def write_losses(card: Path, found: Report) -> None:
    """What int8 loses through each artifact, as the last rows of the int8 card's table."""
    lines = card.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if ARTIFACT not in line]
    rows = [
        f"| {found.split.name}, {row.target} {ARTIFACT} {row.loss.psnr:.2f} | {row.loss.psnr_loss_mean:+.3f} "
        f"| {row.loss.psnr_loss_max:+.3f} | {_similarity(row.loss)} | {row.loss.faces} |"
        for row in found.rows
        if row.precision == "int8"
    ]
    last = max(i for i, line in enumerate(lines) if line.startswith("|"))
    with file_aside(card) as aside:
        aside.write_text("\n".join([*lines[: last + 1], *rows, *lines[last + 1 :]]) + "\n", encoding="utf-8")


def _similarity(loss: Losses) -> str:
    """Lost identity; a dash where it was not measured."""
    return "-" if loss.identity_loss is None else f"{loss.identity_loss:+.4f}"


def goals(found: Report) -> int:
    """1 where int8 loses more than it may."""
    over = [f"{row.target}: {why}" for row in found.rows if row.precision == "int8" for why in broken(row.loss, GOALS)]
    for line in over:
        say(line)
    return EXIT_NEGATIVE if over else EXIT_OK


def pictures(given: argparse.Namespace) -> int:
    """The card's picture, and README's where it is the default network's."""
    code = run([sys.executable, "tools/network_picture.py", given.network])
    if code or given.network != DEFAULT_CHECKPOINT:
        return code
    made = work_folder(given) / "demo"
    code = edgesr("demo", "--checkpoint", given.network, "--output", made, "--force")
    if not code:
        shutil.copy(ROOT / made / "demo.png", ROOT / "docs" / "pictures" / "demo.png")
    return code


def mixed(network: str) -> Path:
    """The recipe that the search found."""
    return ROOT / folder(network) / "mixed.toml"


def folder(network: str) -> Path:
    """Where a network's report lies, relative to the root."""
    return Path("docs", "reports", network)


def work_folder(given: argparse.Namespace) -> Path:
    """What is kept between calls, of these weights alone; relative to the root."""
    sha256 = sha256_of(SHIPPED / given.network / WEIGHTS)
    made = Path("out", "release", f"{given.network}-{sha256[:12]}")
    (ROOT / made).mkdir(parents=True, exist_ok=True)
    return made


def figures_file(given: argparse.Namespace, split: str, degradation: str) -> Path:
    """Where an evaluation is kept."""
    return ROOT / work_folder(given) / f"{split}-{degradation}{f'-{given.limit}' if given.limit else ''}.json"


def at_once(work: Sequence[Callable[[], int]], jobs: int) -> int:
    """Do all of it, so many at a time; the exit code of the first that failed."""
    with ThreadPoolExecutor(jobs) as pool:
        return next((code for code in pool.map(lambda one: one(), work) if code), EXIT_OK)


def edgesr(*arguments: object, stdout: Any = None) -> int:
    """Run a command of this checkout's edgesr and return its exit code."""
    inside = [isinstance(word, Path) and word.is_relative_to(ROOT) for word in arguments]
    words = [str(Path(str(w)).relative_to(ROOT)) if i else str(w) for w, i in zip(arguments, inside, strict=True)]
    say(f"edgesr {shlex.join(words)}")
    return run([sys.executable, "-m", "edgesr.cli", *words], stdout)


def run(command: Sequence[str], stdout: Any = None) -> int:
    """On one thread: several run at a time."""
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, check=False, stdout=stdout, env=one).returncode


def say(text: str) -> None:
    """A line on stderr."""
    sys.stderr.write(f"release: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
