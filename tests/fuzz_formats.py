"""Feeds damaged files to our readers: an ``EdgesrError`` or a correct result, never anything else.

    python tests/fuzz_formats.py --seconds 60              all readers in turns (make fuzz SECONDS=60)
    python tests/fuzz_formats.py --count 100000            so many inputs for each reader
    python tests/fuzz_formats.py --reader gallery --first 4711 --count 1       one input again

Each reader runs in a child of its own with little more memory than it has at its start, and with a limit of seconds
for every input: a huge allocation, a hang and a crash are found as well as an exception of another kind. Inputs
follow from their number alone. Exit code 1, with the numbers of the inputs, where something was found.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import multiprocessing
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from galleries import gallery
from mutations import damage, damaged_json, damaged_safetensors

from edgesr.bundle import GOLDEN, GOLDEN_VECTORS, MANIFEST, hashes, open_bundle
from edgesr.errors import EdgesrError
from edgesr.gallery.format import decode_gallery, encode_gallery, read_gallery

MEMORY = 256 << 20
"""Bytes that a reader may take beyond what its process has at the start."""
SECONDS_AN_INPUT = 10

Case = Callable[[random.Random], None]
"""Reads one damaged input; raises ``EdgesrError`` or returns, anything else is a finding."""


class Wrong(Exception):  # noqa: N818 (a finding)
    """A reader took something that is not what it must be."""


def gallery_case(folder: Path) -> Case:
    kinds = [gallery(1, 2), gallery(3, dtype="fp16"), gallery(4, 5, names=True, embedded=True), gallery()]
    originals = [b"".join(encode_gallery(one)) for one in kinds]
    path = folder / "a.gallery"

    def case(rng: random.Random) -> None:
        content = damaged_safetensors(rng.choice(originals), rng)
        if rng.random() < 0.1:
            path.write_bytes(content)
            read = read_gallery(path)
        else:
            read = decode_gallery(content)
        again = decode_gallery(b"".join(encode_gallery(read)))
        floats = read.floats()
        if len(again) != len(read) or not np.isfinite(floats).all() or floats.nbytes > 8 * len(content):
            raise Wrong("what was read cannot be written and read again")

    return case


def small_bundle(folder: Path) -> Path:
    """A bundle whose model is never loaded, with golden vectors."""
    from conftest import TINY

    bundle = folder / "bundle"
    bundle.mkdir()
    (bundle / "model.pte").write_bytes(b"model" * 100)
    vectors = {name: np.full((1, 2, 2), i, np.float32) for i, name in enumerate(GOLDEN_VECTORS)}
    safetensors.numpy.save_file(vectors, bundle / GOLDEN)
    spec = {"name": "exemplar", "file_name": "x", "shape": [1, 3, 32, 32], "layout": "NCHW", "dtype": "float32"}
    parts = [{"name": "f_ref", "channels": 8, "int8_scale": 0.1}, {"name": "g_ref", "channels": 8, "int8_scale": 0.1}]
    manifest = {
        "format": "edgesr-bundle",
        "format_version": 1,
        "target": "executorch",
        "precision": "fp32",
        "lowering": "rows",
        "files": {"model": "model.pte"},
        "sha256": hashes(bundle),
        "model": TINY.to_dict(),
        "tensors": {g: {"inputs": [spec], "outputs": [spec]} for g in ("encode", "restore")},
        "features": {"stored_layout": "NHWC", "shape": [8, 8, 16], "parts": parts},
        "feature_space": "tiny-0a1b2c3d4e5f",
        "parity": {"checks": []},
        "checkpoint_sha256": "0" * 64,
    }
    (bundle / MANIFEST).write_text(json.dumps(manifest))
    return bundle


def use(folder: Path) -> None:
    """What every command does with a bundle before its runtime sees the model."""
    bundle = open_bundle(folder)
    sizes = bundle.config.slots, bundle.config.lr_size, bundle.config.feature_channels
    scales = bundle.feature_scales
    texts = bundle.feature_space, bundle.manifest["target"]
    good = all(isinstance(n, int) for n in sizes) and all(isinstance(t, str) for t in texts)
    if not good or not all(isinstance(step, float) and step > 0 for step in scales.values()):
        raise Wrong(f"a manifest says {sizes}, {texts}, {scales}")
    bundle.golden()


def manifest_case(folder: Path) -> Case:
    bundle = small_bundle(folder)
    path = bundle / MANIFEST
    original = path.read_bytes()

    def case(rng: random.Random) -> None:
        path.write_bytes(damaged_json(original, rng) if rng.random() < 0.7 else damage(original, rng))
        use(bundle)

    return case


def bundle_case(folder: Path) -> Case:
    bundle = small_bundle(folder)
    manifest = json.loads((bundle / MANIFEST).read_text())
    originals = {name: (bundle / name).read_bytes() for name in manifest["sha256"]}

    def case(rng: random.Random) -> None:
        for name, content in originals.items():
            (bundle / name).write_bytes(content)
        (bundle / MANIFEST).write_text(json.dumps(manifest))
        name = rng.choice(list(originals))
        changed = damaged_safetensors(originals[name], rng) if name == GOLDEN else damage(originals[name], rng)
        (bundle / name).write_bytes(changed)
        if name == GOLDEN and rng.random() < 0.8:  # with its right hash, so that it is read
            sha256 = manifest["sha256"] | {name: hashlib.sha256(changed).hexdigest()}
            (bundle / MANIFEST).write_text(json.dumps(manifest | {"sha256": sha256}))
            use(bundle)
        elif changed != originals[name]:
            use(bundle)
            raise Wrong(f"a changed {name} was not noticed")

    return case


def checkpoint_case(folder: Path) -> Case:
    import torch
    from conftest import TINY, lively

    from edgesr.models.checkpoint import CONFIG, WEIGHTS, load_checkpoint, save_checkpoint

    save_checkpoint(folder / "tiny", "tiny", lively(TINY), training={}, feature_scales={"f_ref": 0.1, "g_ref": 0.1})
    config, weights = folder / "tiny" / CONFIG, folder / "tiny" / WEIGHTS
    originals = config.read_bytes(), weights.read_bytes()

    def case(rng: random.Random) -> None:
        config.write_bytes(originals[0])
        weights.write_bytes(originals[1])
        if rng.random() < 0.5:
            config.write_bytes(damaged_json(originals[0], rng) if rng.random() < 0.7 else damage(originals[0], rng))
        else:
            weights.write_bytes(damaged_safetensors(originals[1], rng))
        loaded = load_checkpoint(folder / "tiny", quantized=True)
        finite = all(torch.isfinite(value).all() for value in loaded.model.state_dict().values())
        if not finite or not all(0 < step < float("inf") for step in loaded.feature_scales.values()):
            raise Wrong(f"a checkpoint has scales {loaded.feature_scales}, or weights that are not finite")

    return case


CASES = {"gallery": gallery_case, "manifest": manifest_case, "bundle": bundle_case, "checkpoint": checkpoint_case}


@dataclasses.dataclass
class Outcome:
    """Of one reader: inputs read, how many were refused, and what was found: number and description."""

    inputs: int = 0
    refused: int = 0
    findings: list[tuple[int, str]] = dataclasses.field(default_factory=list)


def seeded(reader: str, number: int) -> random.Random:
    return random.Random(f"{reader} {number}")


def child(reader: str, first: int, count: int, seconds: float, at: Synchronized[int], answer: Any) -> None:
    """Read inputs until there are ``count``, or ``seconds`` are over, or three findings."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    outcome = Outcome()
    try:
        case = CASES[reader](folder)
        limit_memory()
        signal.signal(signal.SIGALRM, hang)
        until = time.monotonic() + seconds
        for number in range(first, first + count):
            if time.monotonic() > until or len(outcome.findings) >= 3:
                break
            at.value = number
            signal.alarm(SECONDS_AN_INPUT)
            try:
                case(seeded(reader, number))
            except EdgesrError as error:
                outcome.refused += 1
                try:
                    f"{error}".encode()
                except UnicodeEncodeError:
                    outcome.findings.append((number, "the error cannot be printed"))
            except Exception:
                outcome.findings.append((number, traceback.format_exc(limit=-4)))
            signal.alarm(0)
            outcome.inputs += 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        answer.send(outcome)


def limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def hang(_signal: int, _frame: object) -> None:
    raise TimeoutError(f"an input took more than {SECONDS_AN_INPUT} s")


def fuzz(reader: str, first: int, count: int, seconds: float) -> Outcome:
    """Run one reader in a child; a crash of the child is a finding too."""
    context = multiprocessing.get_context("spawn")  # a fork would inherit the memory of readers before
    at = context.Value("q", first)
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(reader, first, count, seconds, at, theirs))
    process.start()
    theirs.close()
    try:
        outcome: Outcome = ours.recv()
    except EOFError:
        outcome = Outcome(at.value - first, 0, [])
    process.join()
    if process.exitcode:
        outcome.findings.append((at.value, f"the process ended with {process.exitcode}"))
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", choices=[*CASES], action="append")
    parser.add_argument("--seconds", type=float, help="of all readers together; default: until --count is reached")
    parser.add_argument("--count", type=int, help="inputs for each reader; default: until --seconds are over")
    parser.add_argument("--first", type=int, default=int(time.time()), help="number of the first input")
    arguments = parser.parse_args()
    readers = arguments.reader or [*CASES]
    seconds = arguments.seconds or (float("inf") if arguments.count else 60.0)
    found = False
    for reader in readers:
        started = time.monotonic()
        outcome = fuzz(reader, arguments.first, arguments.count or sys.maxsize, seconds / len(readers))
        taken = outcome.inputs - outcome.refused
        print(
            f"{reader:10} {outcome.inputs:7} inputs from {arguments.first} in {time.monotonic() - started:.0f} s: "
            f"{outcome.refused} refused, {taken} read, {len(outcome.findings)} findings",
            flush=True,
        )
        for number, what in outcome.findings:
            found = True
            print(f"--- {reader} --first {number} --count 1\n{what}")
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
