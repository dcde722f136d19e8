"""What `import edgesr` promises: names, types, errors, and what several threads may do at once."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY
from PIL import Image
from scenes import SIDE, Place, compose
from whole_photos import KnownFaces, face_at

import edgesr
from edgesr.data.samples import sample_faces
from edgesr.errors import InputOutputError, UsageError
from edgesr.evaluation.methods import degrade

FUNCTIONS = [name for name in edgesr.__all__ if inspect.isfunction(getattr(edgesr, name))]
LARGE, SMALL = Place((160, 160), 200, 0.05), Place((100, 80), 10)
"""Where the faces lie in photos of a gallery, and in a photo to enhance, as the tiny network takes them."""


def test_the_names_are_those_that_are_documented() -> None:
    assert set(FUNCTIONS) >= {
        *("load", "build_gallery", "enhance_photo", "convert_network", "verify_bundle", "write_report"),
        "train_network",
    }
    for name in edgesr.__all__:
        assert importlib.util.find_spec(f"edgesr.{name}") is None, f"{name} is a module's name, too"
        assert name in dir(edgesr)
    with pytest.raises(AttributeError, match="no attribute 'gallary'"):
        edgesr.gallary  # noqa: B018


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_says_what_it_takes_raises_and_whether_threads_may_share_it(name: str) -> None:
    function = getattr(edgesr, name)
    text = inspect.getdoc(function) or ""
    assert "Raises:" in text
    if name != "read_gallery":
        assert "Thread safety:" in text
    assert all(p.annotation is not p.empty for p in inspect.signature(function).parameters.values())
    if "Args:" in text:
        said = text.split("Args:")[1].split("Thread safety:")[0]
        missing = [p for p in inspect.signature(function).parameters if f"{p}:" not in said and f"``{p}``" not in said]
        assert missing == []


def test_type_checkers_see_what_is_imported_late() -> None:
    tree = ast.parse(inspect.getsource(edgesr))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (alias.asname or alias.name): f"{node.module}:{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    late = {
        name: f"edgesr.{module}:{called or name}"
        for name, (module, _, called) in ((name, place.partition(":")) for name, place in edgesr._LIES_IN.items())
    }
    assert seen == late


def test_importing_edgesr_imports_nothing_heavy() -> None:
    program = "import sys, edgesr; print([m for m in ('torch', 'numpy', 'cv2', 'click') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


@pytest.fixture(scope="module")
def my_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos of one person."""
    folder = tmp_path_factory.mktemp("library") / "my-photos"
    folder.mkdir()
    person = sample_faces(SIDE)[0]
    for name, face in (("summer", person.exemplar), ("winter", person.target)):
        Image.fromarray(compose((320, 320), [(face, LARGE)])).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def party(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo with one tiny face."""
    file = tmp_path_factory.mktemp("party") / "party.jpg"
    Image.fromarray(compose((200, 160), [(sample_faces(SIDE)[0].target, SMALL)])).save(file, quality=95)
    return file


BUILDS, ENHANCES = KnownFaces(face_at(LARGE)), KnownFaces(face_at(SMALL))


def build(tiny_checkpoint: Path, my_photos: Path, output: Path | None = None, **options: Any) -> Any:
    return edgesr.build_gallery(
        my_photos, output, models=[tiny_checkpoint], embeddings=False, detector=BUILDS, **options
    )


def test_a_gallery_in_memory_is_the_one_in_the_file(tiny_checkpoint: Path, my_photos: Path, tmp_path: Path) -> None:
    said: list[str] = []
    kept = build(tiny_checkpoint, my_photos, report=said.append)
    built = build(tiny_checkpoint, my_photos, tmp_path / "me.gallery", force=True)
    assert (kept.ok, kept.path, len(kept.gallery)) == (True, None, 2)
    assert [one.path.name for one in kept.kept] == ["summer.png", "winter.png"]
    read = edgesr.read_gallery(built.path)
    for mine, theirs in zip(kept.gallery.entries, read.entries, strict=True):
        assert mine.photo_sha256 == theirs.photo_sha256
        for stored, other in zip(mine.features[0] or (), theirs.features[0] or (), strict=True):
            np.testing.assert_array_equal(stored, other)
    added = edgesr.add_to_gallery(
        built.path, my_photos / "summer.png", models=[tiny_checkpoint], detector=BUILDS, report=said.append
    )
    assert (added.ok, [one.reason for one in added.rejected]) == (False, ["already in the gallery, or given twice"])
    assert any("cannot be checked" in line for line in said)


def test_a_gallery_that_is_full_keeps_the_sharpest_and_says_so(
    tiny_checkpoint: Path, my_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgesr.gallery.collect.most_entries", lambda sections: 1)
    built = build(tiny_checkpoint, my_photos, tmp_path / "me.gallery")
    assert (len(built.kept), [one.reason for one in built.rejected]) == (1, ["1 sharper photos were there"])
    added = edgesr.add_to_gallery(built.path, my_photos, models=[tiny_checkpoint], detector=BUILDS)
    assert sorted(one.reason for one in added.rejected) == [
        "already in the gallery, or given twice",
        "the gallery is full",
    ]


def test_a_photo_is_enhanced_in_memory_and_written_with_what_it_came_with(
    tiny_checkpoint: Path, my_photos: Path, party: Path, tmp_path: Path
) -> None:
    gallery = build(tiny_checkpoint, my_photos).gallery
    options = {"model": tiny_checkpoint, "detector": ENHANCES, "assume_same_person": True}
    done = edgesr.enhance_photo(party, gallery, tmp_path / "sharp.png", **options)
    face = done.faces[0]
    assert (face.restored, set(face.exemplars)) == (True, {0, 1})
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "sharp.png")), done.image)
    array = np.asarray(Image.open(party))
    np.testing.assert_array_equal(edgesr.enhance_photo(array, gallery, **options).image, done.image)
    nothing = edgesr.enhance_photo(
        party, (), tmp_path / "same.jpg", **options | {"assume_same_person": False, "strength": 0}
    )
    assert not nothing.changed
    assert (tmp_path / "same.jpg").read_bytes() == party.read_bytes(), "nothing was changed, and nothing was lost"


def test_threads_that_convert_take_turns(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = pool.map(
            lambda name: edgesr.convert_network("onnx", tmp_path / name, checkpoint=tiny_checkpoint), ("a", "b")
        )
        assert [one.bundle.name for one in made] == ["a", "b"]


def test_a_network_is_converted_verified_and_loaded(tiny_checkpoint: Path, photos: Path, tmp_path: Path) -> None:
    stages: list[str] = []
    made = edgesr.convert_network("onnx", tmp_path / "bundle", checkpoint=tiny_checkpoint, report=stages.append)
    assert stages
    assert made.manifest["target"] == "onnx"
    assert edgesr.verify_bundle(made.bundle, tiny_checkpoint).ok
    model, reference = edgesr.load(made.bundle), edgesr.load(tiny_checkpoint)
    features = model.encode([photos / "exemplar.png"], aligned=True)
    sr, _ = model.restore(photos / "lr.png", features)
    wanted, _ = reference.restore(photos / "lr.png", features)
    assert sr.shape == (TINY.hr_size, TINY.hr_size, 3)
    assert np.abs(sr.astype(int) - wanted).max() <= 1


def test_training_stops_and_goes_on(make_people: Any, tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric", reason="training needs lightning-fabric: pip install 'edgesr[train]'")
    import json

    widths = tmp_path / "mine.json"
    widths.write_text(json.dumps(TINY.replace(lr_size=4).to_dict()))
    people = make_people({"ann": 3, "bob": 4}, size=16)
    config = edgesr.TrainConfig(steps=40, batch_size=2, precision="32-true")
    seen: list[int] = []
    stopped = edgesr.train_network(people, tmp_path / "run", config, network=widths, max_minutes=1e-9)
    trained = edgesr.train_network(
        people, tmp_path / "run", config, network=widths, on_step=lambda at: seen.append(at.step)
    )
    assert (stopped.done, stopped.step) == (False, 1)
    assert (trained.done, trained.step, seen) == (True, 40, [20, 40])
    assert edgesr.load(trained.checkpoint).name == "mine"


REFUSALS: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "a gallery that exists": (lambda f: edgesr.build_gallery(f, f / "a.gallery"), UsageError, "exists"),
    "a folder as a gallery": (lambda f: edgesr.build_gallery(f, f), UsageError, "folder"),
    "no photos": (lambda f: edgesr.build_gallery(f / "none"), InputOutputError, "none"),
    "an output that exists": (lambda f: edgesr.enhance_photo(f / "a.png", (), f / "a.jpg"), UsageError, "exists"),
    "an output that is no photo": (lambda f: edgesr.enhance_photo(f / "a.png", (), f / "a.gif"), UsageError, "gif"),
    "its own output": (
        lambda f: edgesr.enhance_photo(f / "a.png", (), f / "a.png", force=True),
        UsageError,
        "its own output",
    ),
    "a photo of another type": (lambda _: edgesr.enhance_photo(3), UsageError, "type int"),  # type: ignore[arg-type]
    "a setting out of range": (lambda f: edgesr.enhance_photo(f / "a.png", strength=2), UsageError, "strength"),
    "trust without a gallery": (lambda f: edgesr.enhance_photo(f / "a.png", allow_other=True), UsageError, "gallery"),
    "an unknown target": (lambda f: edgesr.convert_network("toaster", f / "b"), UsageError, "toaster"),
    "a recipe alone": (lambda f: edgesr.convert_network("onnx", f / "b", recipe=f / "r"), UsageError, "recipe"),
    "no bundle": (lambda f: edgesr.verify_bundle(f), InputOutputError, "no bundle"),
    "a report of another suffix": (lambda f: edgesr.write_report(f / "a.png"), UsageError, "html"),
    "a report that exists": (lambda f: edgesr.write_report(f / "a.html"), UsageError, "exists"),
    "an unknown precision": (lambda f: edgesr.write_report(f / "b.html", precisions=["int3"]), UsageError, "int3"),
    "an unknown network": (lambda f: edgesr.train_network(f, f / "run", network="resnet"), UsageError, "resnet"),
    "no network": (lambda f: edgesr.load(f / "nothing"), InputOutputError, "nothing"),
    "a gallery of another type": (
        lambda f: edgesr.enhance_photo(f / "a.png", None),  # type: ignore[arg-type]
        UsageError,
        "gallery of type NoneType",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_mistake_is_answered_by_name_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    call, error, word = REFUSALS[name]
    for file in ("a.gallery", "a.jpg", "a.html"):
        (tmp_path / file).write_bytes(b"mine")
    Image.fromarray(degrade(sample_faces(32)[0].target, 4)).save(tmp_path / "a.png")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(error, match=word) as raised:
        call(tmp_path)
    assert isinstance(raised.value, edgesr.EdgesrError)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


MISUSES: dict[str, tuple[Callable[[edgesr.Model, Path], Any], str]] = {
    "a path for a list": (lambda model, f: model.encode(str(f / "a.png")), "several are taken"),
    "no features": (lambda model, f: model.restore(f / "a.png", None), "features of type NoneType"),  # type: ignore[arg-type]
    "a gallery's path": (lambda model, f: model.restore(f / "a.png", "me.gallery"), "read_gallery"),  # type: ignore[arg-type]
    "a photo's path": (
        lambda model, f: edgesr.open_enhancer((), model, detector=KnownFaces()).enhance(f / "a.png"),  # type: ignore[arg-type]
        "read_photo",
    ),
}


@pytest.mark.parametrize("name", MISUSES)
def test_what_a_network_cannot_take_is_said(name: str, tiny_checkpoint: Path, tmp_path: Path) -> None:
    misuse, word = MISUSES[name]
    model = edgesr.load(tiny_checkpoint)
    size = model.interface.lr_size
    Image.new("RGB", (size, size)).save(tmp_path / "a.png")
    with pytest.raises(UsageError) as raised:
        misuse(model, tmp_path)
    assert word in str(raised.value)


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each gives, all of them begun at the same moment in threads of their own."""
    barrier, results = threading.Barrier(len(works)), [None] * len(works)
    errors: list[BaseException] = []

    def run(i: int) -> None:
        barrier.wait()
        try:
            results[i] = works[i]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def test_two_threads_restore_with_one_network(tiny_checkpoint: Path, tiny_bundle: Path) -> None:
    crops = [(face.exemplar, degrade(face.target, 4)) for face in sample_faces(32)[:2]]
    for network in (tiny_checkpoint, tiny_bundle):
        model = edgesr.load(network)

        def restored(i: int, model: edgesr.Model = model) -> Any:
            return [model.restore(crops[i][1], model.encode([crops[i][0]])) for _ in range(3)]

        wanted = [restored(0), restored(1)]
        for mine, alone in zip(at_once(lambda: restored(0), lambda: restored(1)), wanted, strict=True):
            for (sr, weights), (right, its_weights) in zip(mine, alone, strict=True):
                np.testing.assert_array_equal(sr, right)
                np.testing.assert_array_equal(weights, its_weights)


def test_two_threads_enhance_with_one_enhancer(tiny_checkpoint: Path, my_photos: Path, party: Path) -> None:
    gallery = build(tiny_checkpoint, my_photos).gallery
    enhancer = edgesr.open_enhancer(gallery, tiny_checkpoint, detector=ENHANCES, assume_same_person=True)
    photo = edgesr.enhance.read_photo(party)  # type: ignore[attr-defined]

    def enhanced() -> Any:
        return [enhancer.enhance(photo.replace(pixels=photo.pixels.copy())).image for _ in range(3)]

    wanted = enhanced()
    for images in at_once(enhanced, enhanced):
        for image, right in zip(images, wanted, strict=True):
            np.testing.assert_array_equal(image, right)


def test_two_threads_build_galleries(tiny_checkpoint: Path, my_photos: Path, tmp_path: Path) -> None:
    names = ("a.gallery", "b.gallery")
    wanted = build(tiny_checkpoint, my_photos, tmp_path / "alone.gallery").path.read_bytes()
    at_once(*(lambda name=name: build(tiny_checkpoint, my_photos, tmp_path / name) for name in names))
    assert all((tmp_path / name).read_bytes() == wanted for name in names)


def test_of_two_threads_that_build_the_same_gallery_one_is_refused(
    tiny_checkpoint: Path, my_photos: Path, tmp_path: Path
) -> None:
    """While one is at it the other is told so, whatever ``force`` says."""
    out, begun, ended = tmp_path / "me.gallery", threading.Event(), threading.Event()

    def slowly(items: Any, _: str) -> Any:
        begun.set()
        ended.wait(60)
        return iter(items)

    def second() -> Any:
        begun.wait(60)
        try:
            with pytest.raises(InputOutputError, match="is being made by"):
                build(tiny_checkpoint, my_photos, out, force=True)
        finally:
            ended.set()

    at_once(lambda: build(tiny_checkpoint, my_photos, out, track=slowly), second)
    assert len(edgesr.read_gallery(out)) == 2
