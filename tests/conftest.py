"""What tests share: a tiny network whose every path is alive, and the folder of faces where there is one."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from large import large
from PIL import Image
from pwave_networks import lively_pwave
from whole_photos import PLACE, KnownFaces, face_at

from edgesr.booth.chromium import find_chromium
from edgesr.booth.site import BUILD, is_built
from edgesr.cli.main import run
from edgesr.convert.pipeline import convert, plan
from edgesr.convert.repeated_work import SELDOM
from edgesr.convert.targets import TARGETS
from edgesr.convert.tflite.environment import tflite_environment
from edgesr.data.samples import sample_faces
from edgesr.errors import EXIT_OK
from edgesr.evaluation.methods import degrade
from edgesr.faces import detection
from edgesr.faces.yunet import YUNET
from edgesr.models import load_checkpoint, save_checkpoint
from edgesr.models.hime.config import HIMEConfig
from edgesr.models.hime.network import HIME
from edgesr.process import threads
from edgesr.training.feature_scales import measure_feature_scales

if TYPE_CHECKING:
    from tampering import Made

# Tiny networks lose more to starting threads than they gain, and one thread always sums in the same order.
threads.use(1)
gc.set_threshold(*SELDOM)  # many tests export graphs without converting them

LONG = {
    "test_arm64",
    "test_benchmark",
    "test_booth",
    "test_cli",
    "test_cli_eval",
    "test_cli_gallery",
    "test_cli_work",
    "test_coreai",
    "test_coreml",
    "test_detection",
    "test_detector_coreml",
    "test_detector_tflite",
    "test_docs_blocks",
    "test_docs_site",
    "test_edge_targets",
    "test_enhance_photos",
    "test_evaluation_bins",
    "test_executorch",
    "test_executorch_int8",
    "test_executorch_lowering",
    "test_gallery_roundtrip",
    "test_gallery_store",
    "test_hime_large_targets",
    "test_hime_large_training",
    "test_int8_coreai",
    "test_int8_coreml",
    "test_int8_onnx",
    "test_int8_qnn",
    "test_int8_tflite",
    "test_kill_points",
    "test_library",
    "test_locate",
    "test_odd_files",
    "test_onnx",
    "test_parity_gate",
    "test_portable",
    "test_progress",
    "test_pwave_conversion",
    "test_pwave_training",
    "test_qat",
    "test_qat_networks",
    "test_qnn",
    "test_quantize",
    "test_quantize_again",
    "test_repeated_work",
    "test_report",
    "test_report_networks",
    "test_report_of_graphs",
    "test_shipped_checkpoint",
    "test_tflite",
    "test_threads_safe",
    "test_toy_architecture",
    "test_toy_maps",
    "test_toy_target",
    "test_training",
    "test_training_processes",
    "test_verify",
    "test_verify_binary",
    "test_video",
    "test_wheel",
}
"""Modules that convert, train, open browsers or run whole commands for many seconds: `make check` leaves them out."""

TINY = HIMEConfig(
    scale=4,
    lr_size=8,
    slots=2,
    lr_channels=8,
    lr_blocks=1,
    exemplar_channels=8,
    exemplar_blocks=1,
    offset_channels=8,
    offset_groups=2,
    offset_bound=2.0,
    reconstruction_blocks=2,
    tail_channels=4,
)


EDGE = TINY.replace(alignment="warp", offset_bound=1.0)


def lively(config: HIMEConfig, seed: int = 0) -> HIME:
    """A network with random weights whose offsets are large and fractional and whose residual shows."""
    torch.manual_seed(seed)
    model = HIME(config)
    torch.nn.init.normal_(model.rfa.offset.weight, std=3.0)
    with torch.no_grad():
        model.reconstructor.up2.weight.mul_(10)
    return model.eval().requires_grad_(False)


Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Makes a folder once for all of pytest's workers: ``once("name", make)``, where ``make`` writes the folder that it
    is given. It is not to be changed."""
    own = tmp_path_factory.getbasetemp()
    root = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "once"
    root.mkdir(exist_ok=True)

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, unfinished = root / name, root / f"{name}-unfinished"
        with FileLock(root / f"{name}.lock"):
            if not folder.exists():
                shutil.rmtree(unfinished, ignore_errors=True)
                make(unfinished)
                unfinished.rename(folder)
        return folder

    return made


@pytest.fixture(scope="session")
def tiny_checkpoint(once: Once) -> Path:
    """A checkpoint folder of a tiny network."""
    scales = {"f_ref": 0.1, "g_ref": 0.1}
    return once(
        "tiny", lambda folder: save_checkpoint(folder, "tiny", lively(TINY), training={}, feature_scales=scales)
    )


@pytest.fixture(scope="session")
def edge_checkpoint(once: Once) -> Path:
    """A checkpoint folder of a tiny network of the edge variant.

    Its offsets are a third of ``lively``'s: where all of them are at their bounds, float16 tells pixels apart badly.
    """
    model = lively(EDGE)
    model.rfa.offset.weight.mul_(1 / 3)
    return once("tiny-edge", lambda folder: save_fitting(folder, "tiny-edge", model))


@pytest.fixture(scope="session")
def edge_int8(once: Once, edge_checkpoint: Path, people_folder: Path) -> Path:
    """Its int8 form, trained for two steps."""
    return once("tiny-edge-int8", lambda folder: train_in_int8(edge_checkpoint, people_folder, folder))


@pytest.fixture(scope="session")
def pwave_checkpoint(once: Once) -> Path:
    """A checkpoint folder of a tiny PWAve."""
    scales = {"f1": 0.05, "wnn1": 0.05, "f2": 0.05, "wnn2": 0.05}
    return once(
        "tiny-pwave",
        lambda folder: save_checkpoint(folder, "tiny-pwave", lively_pwave(), training={}, feature_scales=scales),
    )


@pytest.fixture(scope="session")
def pwave_int8(once: Once, pwave_checkpoint: Path, people_folder: Path) -> Path:
    """Its int8 form, with steps that fit its features, trained for two steps."""

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as own:
            fitting = Path(own) / "tiny-pwave"
            save_fitting(fitting, "tiny-pwave", load_checkpoint(pwave_checkpoint).model)
            train_in_int8(fitting, people_folder, folder)

    return once("tiny-pwave-int8", make)


@pytest.fixture(scope="session")
def large_checkpoint(once: Once) -> Path:
    """A checkpoint folder of a tiny HIME-large."""
    return once("tiny-large", lambda folder: save_fitting(folder, "tiny-large", large()))


@pytest.fixture(scope="session")
def large_int8(once: Once, large_checkpoint: Path, people_folder: Path) -> Path:
    """Its int8 form, trained for two steps."""
    return once("tiny-large-int8", lambda folder: train_in_int8(large_checkpoint, people_folder, folder))


def save_fitting(folder: Path, name: str, model: Any) -> None:
    """A checkpoint whose steps fit its features."""
    photos = [torch.from_numpy(face.exemplar.copy()).permute(2, 0, 1) for face in sample_faces(model.config.hr_size)]
    scales = measure_feature_scales(model, torch.stack(photos))
    save_checkpoint(folder, name, model, training={}, feature_scales=scales)


def train_in_int8(source: Path, people: Path, folder: Path) -> None:
    """``edgesr quantize`` as a user runs it, for a moment."""
    short = ["--steps", "2", "--batch-size", "2", "--faces", "6", "--name", f"{source.name}-int8"]
    with tempfile.TemporaryDirectory() as run_folder:
        arguments = ["quantize", str(source), "--data", str(people), *short, "-o", str(folder)]
        assert run([*arguments, "--run", str(Path(run_folder) / "run")]) == EXIT_OK


def pytest_configure() -> None:
    """A shell that starts the tests in the background may have Ctrl-C ignored, and every process of theirs with it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What tests of TFLite and of the web booth need is made by CI, so there nothing is skipped for want of it."""
    problems: dict[str, str | None] = {}
    if not os.environ.get("CI"):
        environment = tflite_environment().problem()
        problems["tflite"] = f"no TFLite environment: {environment}; edgesr setup tflite" if environment else None
        problems["chromium"] = booth_problem()
        for name in ("qnn", "coreai"):
            lacking = TARGETS[name].missing()
            problems[name] = f"{name}: {', '.join(lacking)} missing" if lacking else None
    for item in items:
        if item.path.stem in LONG:
            item.add_marker("long")
        for marker, problem in problems.items():
            if problem and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=problem))


def booth_problem() -> str | None:
    """What of a browser and the built page is not here."""
    if find_chromium() is None:
        return "no Chromium: apt-get install chromium, or set EDGESR_CHROMIUM"
    if not is_built():
        return f"the booth's page is not built: {BUILD}"
    return None


MakePeople = Callable[..., Path]
Call = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def make_people(tmp_path: Path) -> MakePeople:
    """Makes a folder of people with made-up photos: ``make_people({"ann": 3}, size=32, split="train")``."""

    def make(counts: dict[str, int], size: int = 32, split: str | None = None, name: str = "people") -> Path:
        root = tmp_path / name
        folder = root if split is None else root / str(size) / split
        random = np.random.default_rng(0)
        for person, count in counts.items():
            (folder / person).mkdir(parents=True)
            face = random.integers(0, 256, (4, 4, 3), np.uint8)
            for i in range(count):
                noise = random.integers(0, 60, (size, size, 3))
                smooth = np.asarray(Image.fromarray(face).resize((size, size), Image.Resampling.BICUBIC))
                photo = (smooth.astype(int) + noise).clip(0, 255).astype(np.uint8)
                Image.fromarray(photo).save(folder / person / f"{i + 1:02}.png")
        return root

    return make


@pytest.fixture(scope="session")
def faces_folder() -> Path:
    """The folder of aligned faces (``<pixels>/<split>/<person>/<photo>``), for tests marked ``faces``."""
    given = os.environ.get("EDGESR_FACES")
    folder = Path(given) if given else Path(__file__).parent.parent.parent / "shared" / "faces"
    if not (folder / "eval_list.csv").is_file():
        pytest.skip(f"no faces in {folder}: set EDGESR_FACES to the folder that holds eval_list.csv")
    return folder


@pytest.fixture(scope="session")
def yunet() -> Path:
    """The face detector's file, for tests marked ``faces``."""
    pytest.importorskip("cv2", reason="no OpenCV: pip install 'edgesr[faces]'")
    return YUNET


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command line with --json in this process: exit code, the JSON object, stderr."""

    def called(*arguments: object) -> tuple[int, dict[str, Any], str]:
        code = run([str(argument) for argument in (*arguments, "--json")])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, json.loads(captured.out), captured.err

    return called


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> KnownFaces:
    """Every photo's face lies in ``PLACE``: these tests are of everything behind the detector."""
    detector = KnownFaces(face_at(PLACE))
    monkeypatch.setattr(detection, "open_detector", lambda *_: detector)
    return detector


@pytest.fixture(scope="session")
def made(once: Once) -> Made:
    """Bundles to tamper with."""
    from tampering import Made  # whose networks are this file's

    return Made(once)


@pytest.fixture(scope="session")
def tiny_bundle(tiny_checkpoint: Path, once: Once) -> Path:
    return once("tiny-onnx", lambda folder: convert(plan("onnx", checkpoint=tiny_checkpoint, output=folder)))


@pytest.fixture(scope="session")
def tiny_booth(tiny_checkpoint: Path, once: Once) -> Path:
    """The tiny float network as a web bundle, made without a browser; not to be changed."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("EDGESR_CHROMIUM", "none")
            convert(plan("web", checkpoint=tiny_checkpoint, output=folder))

    return once("tiny-web", make)


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people with three photos of noise each, as large as the tiny network's faces."""
    folder = tmp_path_factory.mktemp("made-up")
    random = np.random.default_rng(0)
    for person in ("ann", "bob"):
        (folder / person).mkdir()
        for i in range(3):
            photo = random.integers(0, 256, (TINY.hr_size, TINY.hr_size, 3), np.uint8)
            Image.fromarray(photo).save(folder / person / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sample person as files: lr.png (8 px), truth.png and exemplar.png (32 px)."""
    folder = tmp_path_factory.mktemp("photos")
    face = sample_faces(32)[0]
    Image.fromarray(face.target).save(folder / "truth.png")
    Image.fromarray(face.exemplar).save(folder / "exemplar.png")
    Image.fromarray(degrade(face.target, 4)).save(folder / "lr.png")
    return folder


@pytest.fixture(scope="session")
def people_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample people at 32 px as splits train, val and test, two photos each, with an evaluation list."""
    folder = tmp_path_factory.mktemp("people")
    rows = ["split,target,ref1,ref2"]
    for face in sample_faces(32):
        for split in ("train", "val", "test"):
            person = folder / "32" / split / face.person
            person.mkdir(parents=True)
            Image.fromarray(face.target).save(person / "1.png")
            Image.fromarray(face.exemplar).save(person / "2.png")
        rows.append(f"test,test/{face.person}/1.png,test/{face.person}/2.png,")
        rows.append(f"val,val/{face.person}/1.png,val/{face.person}/2.png,")
    (folder / "eval_list.csv").write_text("\n".join(rows) + "\n")
    return folder
