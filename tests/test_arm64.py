"""Bundles on emulated arm64 CPUs: judged by the same gate, and what keeps it from running is said in a sentence."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import TINY, Call
from onnx import numpy_helper
from tampering import edit

from edgesr.convert import step
from edgesr.convert.arm64 import environment
from edgesr.convert.arm64.environment import VARIABLE, Arm64Environment, arm64_environment, ours, recipe
from edgesr.convert.arm64.runtime import CPUS, Cpu, find_cpu
from edgesr.convert.arm64.verify import engine_of, refuse_older
from edgesr.convert.beside import Beside
from edgesr.convert.targets import TARGETS
from edgesr.errors import UnavailableError, UsageError
from edgesr.files.environments import BEGUN, COMPLETE
from edgesr.runtime.base import Array, Runtime

emulated = pytest.mark.skipif(
    (problem := arm64_environment().problem()) is not None, reason=f"no emulated arm64: {problem}; edgesr setup arm64"
)
"""Where the emulator is; CI's own step makes it and runs the shipped bundles."""


class Constant(Runtime):
    """Gives the same whatever it is asked; ``off`` is added to the restored face."""

    def __init__(self, off: float = 0.0) -> None:
        self.name, self.interface, self.off = "constant", TINY.interface, off

    def encode(self, exemplar: Array) -> Array:  # noqa: ARG002
        return np.ones(next(iter(self.interface.kept.values())), np.float32)

    def restore(self, lr: Array, features: Any, valid: Array) -> tuple[Array, Array]:  # noqa: ARG002
        side = self.interface.hr_size
        return np.full((side, side, 3), 0.5 + self.off, np.float32), np.ones((2, 8, 8), np.float32)


def ask(beside: Beside) -> None:
    """Both graphs, once."""
    side = TINY.interface.lr_size
    beside.encode(np.zeros((32, 32, 3), np.float32))
    beside.restore(np.zeros((side, side, 3), np.float32), (), np.zeros(2, np.float32))


def test_outputs_are_compared_to_the_last_bit() -> None:
    same, other = Beside(Constant(), Constant()), Beside(Constant(), Constant(off=2.0**-20))
    for beside in (same, other):
        assert not beside.all_equal, "nothing was asked yet"
        ask(beside)
    assert (same.all_equal, same.largest) == (True, 0.0)
    assert not other.all_equal
    assert [name for name, equal in other.equal.items() if not equal] == ["sr"]
    assert other.largest == pytest.approx(2.0**-20 / (0.5 + 2.0**-20), rel=1e-3)


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in ("tflite", "executorch", "onnx", "web")])
def test_targets_that_nothing_runs_there_say_why(target: str) -> None:
    with pytest.raises(UnavailableError, match=r"(?s)emulated arm64: .+"):
        engine_of(target)


@pytest.mark.parametrize(
    ("machine", "tool", "said"),
    [
        ("aarch64", "/usr/bin/mmdebstrap", "this machine is arm64 itself"),
        ("riscv64", "/usr/bin/mmdebstrap", "x86-64 Linux alone"),
        ("x86_64", None, "mmdebstrap, which fetches them, is not installed"),
    ],
)
def test_what_keeps_it_from_running_is_a_sentence_and_exit_code_3(
    machine: str, tool: str | None, said: str, call: Call, tiny_bundle: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(shutil, "which", lambda _: tool)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "arm64"))
    code, answer, _ = call("verify", "--arch", "arm64", tiny_bundle)
    assert (code, answer["exit_code"]) == (3, 3)
    assert said in answer["error"]
    assert not (tmp_path / "arm64").exists()


def test_a_cpu_is_for_an_architecture(call: Call, tiny_bundle: Path) -> None:
    code, answer, _ = call("verify", "--cpu", "max", tiny_bundle)
    assert (code, "--arch arm64" in answer["error"]) == (2, True)


@pytest.mark.parametrize("raises", [None, KeyboardInterrupt])
def test_what_is_not_complete_vanishes(
    raises: type[BaseException] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C and a mirror that is out of reach leave nothing behind, and no claim."""

    def run_child(command: Any, *_: Any, **__: Any) -> tuple[int, str]:
        Path(command[-1]).mkdir()
        if raises is not None:
            raise raises
        return 1, "E: mmdebstrap failed to run\n"

    monkeypatch.setattr(environment, "refuse_other_machines", lambda: None)
    monkeypatch.setattr(step, "run_child", run_child)
    with pytest.raises(raises or UnavailableError):
        Arm64Environment(tmp_path / "arm64").create(lambda stage: None)
    assert list(tmp_path.iterdir()) == []


def test_only_a_complete_environment_of_this_recipe_is_ready(tmp_path: Path) -> None:
    made = Arm64Environment(tmp_path / "arm64")
    assert "there is none" in (made.problem() or "")
    made.folder.mkdir()
    (made.folder / BEGUN).touch()
    assert "incomplete" in (made.problem() or "")
    (made.folder / COMPLETE).write_text('{"recipe": "another"}')
    assert "another version" in (made.problem() or "")
    (made.folder / COMPLETE).write_text(f'{{"recipe": "{recipe()}"}}')
    assert made.is_ready()


@emulated
def test_a_bundle_is_judged_by_the_gate_on_a_cpu_with_what_it_has(
    call: Call, tiny_bundle: Path, tiny_checkpoint: Path
) -> None:
    """A float one: every check of ``verify`` that runs the graphs is there, on each CPU."""
    options = ("--cpu", "cortex-a72", "--cpu", "cortex-a710")
    code, answer, _ = call("verify", "--arch", "arm64", *options, "-c", tiny_checkpoint, tiny_bundle)
    assert (code, answer["ok"]) == (0, True)
    found = {one["cpu"]: (one["dotprod"], one["i8mm"]) for one in answer["emulated"]}
    assert found == {"cortex-a72": (False, False), "cortex-a710": (True, True)}
    assert all(set(one["equal"]) == {"features", "sr", "weights"} for one in answer["emulated"])
    assert all(one["largest"] < 1e-4 for one in answer["emulated"])
    for cpu in found:
        kinds = [check["name"] for check in answer["checks"] if check["name"].startswith(f"{cpu}: ")]
        assert len(kinds) == len(set(kinds)) == 6, "three outputs, on golden vectors and on real faces"


@emulated
def test_another_networks_graph_fails_there_too(call: Call, tiny_bundle: Path, tmp_path: Path) -> None:
    wrong = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    model = onnx.load(wrong / "restore.onnx")
    learned = next(one for one in model.graph.initializer if len(one.dims) == 4)
    learned.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(learned), learned.name))
    onnx.save(model, wrong / "restore.onnx")
    edit(wrong, lambda manifest: None)
    code, answer, _ = call("verify", "--arch", "arm64", "--cpu", "cortex-a76", wrong)
    assert (code, answer["ok"]) == (1, False)
    assert "cortex-a76: golden sr: max abs error" in answer["error"]


def test_executorch_is_not_started_on_a_cpu_that_would_end_it() -> None:
    refuse_older([Cpu("new", dotprod=False, i8mm=False, atomics=True)])
    with pytest.raises(UsageError, match="does not run on old: the PyTorch"):
        refuse_older([Cpu("old", dotprod=False, i8mm=False, atomics=False)])


@emulated
def test_what_a_cpu_has_is_what_programs_on_it_are_told() -> None:
    with ours() as path:
        found = {name: find_cpu(arm64_environment(), path, name) for name in CPUS}
    assert [(cpu.dotprod, cpu.i8mm, cpu.atomics) for cpu in found.values()] == [
        (False, False, False), (True, False, True), (True, True, True),
    ]  # fmt: skip


@emulated
def test_a_cpu_that_there_is_not_is_refused(call: Call, tiny_bundle: Path) -> None:
    code, answer, _ = call("verify", "--arch", "arm64", "--cpu", "pentium", tiny_bundle)
    assert (code, "pentium" in answer["error"]) == (2, True)
