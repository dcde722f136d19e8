"""An emulator, an arm64 Python and the arm64 files of the engines, in a folder of their own: nothing is installed.

Debian 13's QEMU runs a program of another CPU as an ordinary process (Debian 12's is ended by what both engines ask of
the CPU). Debian 12's arm64 Python, unpacked only, gives it a system to find its libraries in, and the engines come from
the package index. Nothing is mounted, no script of a package runs, and nobody needs to be root.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import edgesr
from edgesr.errors import UnavailableError
from edgesr.files.claims import claimed
from edgesr.files.environments import fresh_environment, read_stamp
from edgesr.files.leftovers import work_folder
from edgesr.files.places import cache_folder, expanded

from ..step import for_python, pip_install, run_step

VARIABLE = "EDGESR_ARM64_ENV"
LOCK = Path(__file__).with_name("requirements.txt")
EXECUTORCH_LOCK = Path(__file__).with_name("executorch_requirements.txt")
EMULATOR_SUITE, SYSTEM_SUITE = "trixie", "bookworm"
SYSTEM_PACKAGES = "python3,libpython3.11,libstdc++6,libgomp1"
PYTHON = (3, 11)
"""Of Debian 12."""
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
STARTS = "import numpy, onnxruntime, ai_edge_litert.interpreter; import edgesr.runtime.isolated_worker"
EXECUTORCH_STARTS = "import edgesr.runtime.executorch; from executorch.extension.pybindings import _portable_lib"
SPACE = f"it needs 700 MB, and 820 more for ExecuTorch; {VARIABLE} says where"
UNREAD = ("doc", "man", "locale", "info")
"""Folders of share that nothing reads here."""
FOR_X86 = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONHOME")
"""What this machine's own libraries are told, and the emulated ones must not be."""


@dataclasses.dataclass(frozen=True)
class Arm64Environment:
    """The folder for it, whether it is there or not."""

    folder: Path

    def problem(self) -> str | None:
        """Why it cannot be used, or None where it can."""
        if not self.folder.is_dir():
            return f"there is none in {self.folder}"
        stamp = read_stamp(self.folder)
        if not stamp:
            return f"{self.folder} is incomplete"
        return None if stamp.get("recipe") == recipe() else f"{self.folder} was made by another version of edgesr"

    def is_ready(self) -> bool:
        """Whether it is complete and made as this version makes it."""
        return self.problem() is None

    def create(self, report: Callable[[str], None]) -> None:
        """Make it, or do nothing where it is ready. Takes half a minute and 700 MB.

        A second process waits for the first. Ctrl-C leaves nothing behind.

        Raises:
            UnavailableError: this is no Linux on x86-64, Debian's packages cannot be fetched, or the engines cannot.
            UsageError: the folder holds something else.
            InputOutputError: it cannot be written.
        """
        if self.is_ready():
            return
        refuse_other_machines()
        with claimed(self.folder, wait=True):
            if self.is_ready():  # another process was at it
                return
            with fresh_environment(self.folder, {"recipe": recipe()}, VARIABLE):
                report("fetching the emulator")
                self._unpack("emulator", EMULATOR_SUITE, "--include=qemu-user")
                report("fetching an arm64 Python")
                self._unpack("system", SYSTEM_SUITE, "--arch=arm64", f"--include={SYSTEM_PACKAGES}")
                report("fetching LiteRT and ONNX Runtime for arm64")
                self._install(LOCK, self.site, STARTS, report)

    def add_executorch(self, report: Callable[[str], None]) -> None:
        """Fetch ExecuTorch's arm64 files into an environment that is ready, or do nothing where they are there.

        They take a minute and 820 MB, most of it PyTorch, so they come when a bundle needs them. Raises as ``create``.
        """
        stamp = {"recipe": hashlib.sha256(EXECUTORCH_LOCK.read_bytes()).hexdigest()}
        if read_stamp(self.executorch) == stamp:
            return
        with claimed(self.executorch, wait=True):
            if read_stamp(self.executorch) != stamp:
                with fresh_environment(self.executorch, stamp, VARIABLE):
                    report("fetching ExecuTorch for arm64")
                    self._install(EXECUTORCH_LOCK, self.executorch, EXECUTORCH_STARTS, report)

    @property
    def site(self) -> Path:
        """NumPy, LiteRT and ONNX Runtime."""
        return self.folder / "site"

    @property
    def executorch(self) -> Path:
        """ExecuTorch and PyTorch, where they have been needed."""
        return self.folder / "executorch"

    def python(self, words: list[str]) -> list[str]:
        """A command of the emulated Python; its CPU and what it imports are told by ``variables``."""
        system = self.folder / "system"
        emulator = self.folder / "emulator" / "usr" / "bin" / "qemu-aarch64"
        # -S: not the packages that this machine has for a Python of the same version.
        return [str(emulator), "-L", str(system), str(system / "usr/bin/python3.11"), "-S", "-P", *words]

    def variables(self, cpu: str, path: Path) -> dict[str, str]:
        """The environment of a process on an emulated CPU; ``path`` as ``ours`` gives it."""
        kept = {name: value for name, value in os.environ.items() if name not in FOR_X86}
        found = os.pathsep.join([str(path), str(self.site), str(self.executorch)])
        return {**kept, "QEMU_CPU": cpu, "PYTHONPATH": found, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}

    def _install(self, lock: Path, site: Path, starts: str, report: Callable[[str], None]) -> None:
        platforms = [word for name in PLATFORMS for word in ("--platform", name)]
        command = [*pip_install(lock, site), *platforms, *for_python(PYTHON)]
        where = "is the package index within reach?"
        self._step(command, report, "the arm64 engines cannot be installed", where)
        report("starting them")
        with ours() as path:
            variables = self.variables(CHECKED_ON, path)
            failure = "the arm64 engines do not start"
            self._step(self.python(["-c", starts]), report, failure, "please report it", variables)

    def _unpack(self, name: str, suite: str, *options: str) -> None:
        scratch, place = self.folder / "scratch", self.folder / name
        scratch.mkdir(exist_ok=True)
        command = ["mmdebstrap", "--quiet", "--variant=extract", *options, suite, str(place)]
        variables = {**os.environ, "TMPDIR": str(scratch)}  # what a kill leaves there goes with the folder
        self._step(command, ignore, f"Debian's {suite} cannot be fetched", "is its mirror within reach?", variables)
        for unread in UNREAD:
            shutil.rmtree(place / "usr" / "share" / unread, ignore_errors=True)
        shutil.rmtree(scratch)

    @staticmethod
    def _step(
        command: list[str],
        report: Callable[[str], None],
        failure: str,
        hint: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        run_step(command, report, failure, hint, space=SPACE, environment=environment)


@contextlib.contextmanager
def ours() -> Iterator[Path]:
    """A folder in which edgesr lies alone: what else is installed beside it is of another CPU."""
    with work_folder("arm64") as folder:
        (folder / "edgesr").symlink_to(Path(edgesr.__file__).resolve().parent, target_is_directory=True)
        yield folder


def ignore(_: str) -> None:
    """What mmdebstrap says on stdout is nothing."""


CHECKED_ON = "max"
"""The CPU that the engines are started on when they have been fetched: QEMU's, with everything that it knows."""


def arm64_environment(folder: Path | None = None) -> Arm64Environment:
    """The environment in ``folder``, else where ``EDGESR_ARM64_ENV`` says, else in the user's cache."""
    if folder is None and os.environ.get(VARIABLE):
        folder = expanded(os.environ[VARIABLE])
    if folder is None:
        folder = cache_folder() / f"arm64-{recipe()[:12]}"
    return Arm64Environment(folder.absolute())


def refuse_other_machines() -> None:
    """Raises UnavailableError where nothing can be emulated, which says what to do instead."""
    here = platform.machine()
    if here in ("aarch64", "arm64"):
        raise UnavailableError(
            "this machine is arm64 itself, so nothing is emulated here", "edgesr verify without --arch runs its kernels"
        )
    if sys.platform != "linux" or here != "x86_64":
        raise UnavailableError(
            f"arm64 is emulated on x86-64 Linux alone, and this is {sys.platform} on {here}",
            "edgesr verify on a phone or an arm64 machine",
        )
    if shutil.which("mmdebstrap") is None:
        raise UnavailableError(
            "arm64 is emulated with Debian's packages, and mmdebstrap, which fetches them, is not installed",
            "apt-get install mmdebstrap",
        )


def recipe() -> str:
    """SHA-256 over all that an environment is made of, in hexadecimal."""
    said = [LOCK.read_text(), EMULATOR_SUITE, SYSTEM_SUITE, SYSTEM_PACKAGES]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()
