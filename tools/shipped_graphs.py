"""The ONNX graphs of shipped networks, beside their weights: what ``pip install edgesr`` without PyTorch computes with.

python tools/shipped_graphs.py [NAME...]    makes those that are not of the present weights; by default of the photo
                                            networks and their int8 forms
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from edgesr.bundle import GOLDEN, MANIFEST  # noqa: E402
from edgesr.convert.pipeline import convert, plan  # noqa: E402
from edgesr.files.atomic import folder_aside  # noqa: E402
from edgesr.models.checkpoint import SHIPPED, load_checkpoint  # noqa: E402
from edgesr.models.description import WEIGHTS, sha256_of, shipped_names  # noqa: E402
from edgesr.models.registry import architecture_of  # noqa: E402
from edgesr.models.shipped import PHOTO_NETWORKS  # noqa: E402
from edgesr.runtime.shipped import FOLDER  # noqa: E402

OF_ITS_MAKING = ("seconds", "golden")
"""Keys of a bundle's manifest that say nothing of the graphs."""


def main(names: Sequence[str]) -> int:
    """Make what is missing or of other weights."""
    known = shipped_names()
    for name in names or [n for network in PHOTO_NETWORKS for n in (network, f"{network}-int8") if n in known]:
        if is_current(name):
            say(f"{name} has the graphs of its present weights")
        else:
            make(name)
    return 0


def is_current(name: str) -> bool:
    """Whether there are graphs, made of the network's present weights."""
    try:
        manifest = json.loads((SHIPPED / name / FOLDER / MANIFEST).read_bytes())
    except FileNotFoundError:
        return False
    made_of: Any = manifest["checkpoint_sha256"]
    return bool(made_of == sha256_of(SHIPPED / name / WEIGHTS))


def make(name: str) -> None:
    """Convert the network through the gate, and put its graphs beside its weights."""
    from edgesr.cli.info import offsets

    quantized = load_checkpoint(name, quantized=True).quantization is not None
    precision = "int8" if quantized else "fp32"
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / "onnx"
        chosen = plan("onnx", checkpoint=name, precision=precision, output=bundle)
        manifest = convert(chosen, report=lambda stage: say(f"{name}: {stage}"))
        config = chosen.checkpoint.model.config
        cost = architecture_of(config).complexity(config)
        manifest["info"] = {
            "parameters": cost.parameters,
            "gmacs_encode": cost.macs_encode / 1e9,
            "gmacs_restore": cost.macs_restore / 1e9,
            "gmacs_paper": cost.macs_paper / 1e9,
            "offsets": offsets(chosen.checkpoint),
        }
        del manifest["sha256"][GOLDEN]
        for key in OF_ITS_MAKING:
            del manifest[key]
        with folder_aside(SHIPPED / name / FOLDER) as aside:
            for file in manifest["files"].values():
                (aside / file).write_bytes((bundle / file).read_bytes())
            (aside / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def say(text: str) -> None:
    """A line on stderr."""
    sys.stderr.write(f"graphs: {text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
