"""After a retraining: int8 checkpoint, mixed recipe, bundles, report, and figures in README and docs. Resumable.

python tools/release.py --faces ../shared/faces [--network hime-small-x4] [--again]
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from edgesr.errors import EXIT_NEGATIVE, EXIT_OK, EXIT_USAGE, EdgesrError  # noqa: E402
from edgesr.models.checkpoint import SHIPPED, load_checkpoint, shipped_names  # noqa: E402


def main() -> int:
    """Run what is not done yet; the exit code of the first step that fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, default=Path("../shared/faces"), help="aligned faces with eval_list.csv")
    parser.add_argument("--network", default="hime-small-x4", help="a shipped float network")
    parser.add_argument("--targets", default="executorch,coreml,tflite,onnx")
    parser.add_argument("--identity-embedder", type=Path, help="an ONNX embedder instead of dlib's")
    parser.add_argument("--again", action="store_true", help="train int8 and search the recipe anew")
    given = parser.parse_args()
    if not (given.faces / "eval_list.csv").is_file():
        say(f"no faces in {given.faces}: --faces FOLDER (make release FACES=FOLDER)")
        return EXIT_USAGE
    try:
        code = quantize(given) or search(given) or report(given)
        if code in (EXIT_OK, EXIT_NEGATIVE):
            quote(given.network)
        return code
    except EdgesrError as error:
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted: the same command goes on")
        return 130


def quantize(given: argparse.Namespace) -> int:
    """The int8 twin, unless there is one of just these float weights."""
    name = f"{given.network}-int8"
    source = load_checkpoint(given.network)
    if name in shipped_names() and not given.again:
        made_of = (load_checkpoint(name, quantized=True).quantization or {}).get("float_sha256")
        if made_of == source.sha256:
            say(f"{name} is made of the float network's present weights")
            return EXIT_OK
    mixed(given.network).unlink(missing_ok=True)  # of other weights
    return edgesr(
        "quantize", given.network, "--data", given.faces, "--name", name, "--output", SHIPPED / name, "--identity",
        "--eval-split", "val", "--eval-split", "test", "--force",
    )  # fmt: skip


def search(given: argparse.Namespace) -> int:
    """The report's mixed recipe, unless there is one."""
    recipe = mixed(given.network)
    if recipe.is_file() and not given.again:
        say(f"{recipe.relative_to(ROOT)} is there; --again searches anew")
        return EXIT_OK
    return edgesr("quantize", given.network, "--data", given.faces, "--search", "--output", recipe, "--force")


def report(given: argparse.Namespace) -> int:
    """Bundles and the report; what was measured before on the same files is not measured again."""
    page = folder(given.network) / "report.html"
    embedder = ("--embedder", given.identity_embedder) if given.identity_embedder else ()
    return edgesr(
        "report", "--checkpoint", given.network, "--data", given.faces, "--split", "test",
        "--targets", given.targets, "--work", Path("out", "release", given.network), "--recipe", mixed(given.network),
        "--output", page, "--force", *embedder,
    )  # fmt: skip


def quote(network: str) -> None:
    """The marked figures in README and docs."""
    from edgesr.report.figures import read_report, rewrite

    files = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for file in rewrite(files, read_report(ROOT / folder(network) / "report.json")):
        say(f"figures written into {file.relative_to(ROOT)}")


def mixed(network: str) -> Path:
    """The recipe that the search found."""
    return ROOT / folder(network) / "mixed.toml"


def folder(network: str) -> Path:
    """Where a network's report lies, relative to the root."""
    return Path("docs", "reports", network)


def edgesr(*arguments: object) -> int:
    """Run a command of this checkout's edgesr and return its exit code."""
    inside = [isinstance(word, Path) and word.is_relative_to(ROOT) for word in arguments]
    words = [str(Path(str(w)).relative_to(ROOT)) if i else str(w) for w, i in zip(arguments, inside, strict=True)]
    say(f"edgesr {shlex.join(words)}")
    return subprocess.run([sys.executable, "-m", "edgesr.cli", *words], cwd=ROOT, check=False).returncode


def say(text: str) -> None:
    """A line on stderr."""
    sys.stderr.write(f"release: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
