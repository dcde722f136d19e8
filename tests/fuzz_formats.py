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
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from fuzz_cases import CASES, PHOTOS

from edgesr.errors import EdgesrError

MEMORY, MEMORY_OF_PHOTOS = 256 << 20, 1 << 30
"""Bytes that a reader may take beyond what its process has at the start; a photo of 120 megapixels takes its share."""
SECONDS_AN_INPUT = 10


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
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders write a line for every damaged file
    try:
        case = CASES[reader](folder)
        limit_memory(MEMORY_OF_PHOTOS if reader in PHOTOS else MEMORY)
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


def limit_memory(more: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more
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
