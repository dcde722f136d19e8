"""A gallery file is settled to the byte, and whatever is not one is refused with a reason."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from galleries import PARTS, STEPS, gallery
from make_galleries import decoding

from edgesr.errors import GalleryError
from edgesr.gallery.format import (
    Entry,
    Gallery,
    decode_gallery,
    encode_gallery,
    pack_features,
    read_gallery,
    write_gallery,
)
from edgesr.gallery.header import FORMAT_VERSION, thousandths

DOCUMENT = Path(__file__).parent.parent / "docs" / "gallery-format.md"
SAMPLES = Path(__file__).parent / "data" / "galleries"
KINDS: dict[str, dict[str, Any]] = {
    "int8": {},
    "fp16": {"dtype": "fp16"},
    "names": {"names": True},
    "embeddings": {"embedded": True},
}


def content(made: Gallery) -> bytes:
    return b"".join(encode_gallery(made))


def equal(a: Gallery, b: Gallery) -> bool:
    """Whether two galleries hold the same."""
    return content(a) == content(b)


def the_example() -> Gallery:
    """The example of docs/gallery-format.md, from its words."""
    features = np.zeros((4, 4, 2), np.float32)
    features[0, 0], features[0, 1] = (0.25, -0.375), (0.75, 100)
    parts, steps = {"f_ref": 1, "g_ref": 1}, {"f_ref": 0.5, "g_ref": 0.25}
    only = Entry(
        features=pack_features(features, "int8", parts, steps),
        descriptor=np.array([0.5, -1], np.float32),
        photo_sha256="ab" * 32,
        quality={"sharpness": 0.8125, "size_px": 140.0},
        pose={"yaw_deg": -3.25, "pitch_deg": 0.0, "roll_deg": 1.5},
        name='Zoë "x".jpg',
    )
    return Gallery("tiny-0a1b2c3d4e5f", 4, 4, parts, steps, "int8", (only,))


def test_the_documents_example_is_what_is_written_and_read() -> None:
    lines = re.findall(r"^[0-9a-f]{4}  ((?:[0-9a-f]{2} ?)+) ", DOCUMENT.read_text(), re.MULTILINE)
    printed = bytes.fromhex("".join(lines))
    assert len(printed) == 672
    assert printed == content(the_example())
    read = decode_gallery(printed)
    assert read.entries[0].name == 'Zoë "x".jpg'
    assert read.entries[0].quality["sharpness"] == 0.812  # 812.5 thousandths, half to even
    assert read.floats()[0, 0, :2].tolist() == [[0.0, -0.5], [1.0, 31.75]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_was_written_is_read(kind: str, count: int, tmp_path: Path) -> None:
    made = gallery(*range(count), **KINDS[kind])
    write_gallery(tmp_path / "a.gallery", made)
    read = read_gallery(tmp_path / "a.gallery")
    assert equal(read, made)
    assert [e.name for e in read.entries] == [e.name for e in made.entries]
    assert [e.photo_sha256 for e in read.entries] == [e.photo_sha256 for e in made.entries]
    for one, other in zip(read.entries, made.entries, strict=True):
        assert np.array_equal(one.features, other.features)
        assert one.features.dtype == other.features.dtype
        assert np.array_equal(one.descriptor, other.descriptor)
        assert one.quality == pytest.approx(other.quality, abs=0.0005)
        assert one.pose == pytest.approx(other.pose, abs=0.0005)
        if other.embedding is not None:
            assert np.array_equal(one.embedding, other.embedding)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_safetensors_file(kind: str) -> None:
    made = gallery(1, 2, **KINDS[kind])
    tensors = safetensors.numpy.load(content(made))
    assert np.array_equal(tensors["features"][1], made.entries[1].features)
    assert np.array_equal(tensors["descriptors"][0], made.entries[0].descriptor)


def test_the_order_in_which_measures_came_does_not_show() -> None:
    made = gallery(1)
    turned = made.entries[0].quality
    turned = dict(reversed(list(turned.items())))
    other = Entry(**{**vars(made.entries[0]), "quality": turned})
    assert equal(made, made.replace(entries=(other,)))


@pytest.mark.parametrize("value", [0.0, 0.0005, 0.0015, -0.0005, 1e-9, 123.4565, -45.1235, 999999.999])
def test_a_measure_survives_any_number_of_writes(value: float) -> None:
    once = thousandths(value)
    assert thousandths(once / 1000) == once
    assert abs(once / 1000 - value) <= 0.0005 + 1e-9


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (0.25, 0),
        (0.75, 2),
        (-0.25, 0),
        (-0.75, -2),
        (0.2500001, 1),
        (63.5, 127),
        (1e9, 127),
        (-1e9, -127),
        (-3e38, -127),
    ],
)
def test_int8_rounds_half_to_even_and_clamps(value: float, stored: int) -> None:
    packed = pack_features(np.full((1, 5), value, np.float32), "int8", PARTS, {"f_ref": 0.5, "g_ref": 0.5})
    assert packed.tolist() == [[stored] * 5]


def test_fp16_clamps_to_its_range() -> None:
    packed = pack_features(np.array([[1e6, -1e6, 2049, 2051, 1e-9]], np.float32), "fp16", PARTS, None)
    assert packed.tolist() == [[65504.0, -65504.0, 2048.0, 2052.0, 0.0]]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", ["int8", "fp16"])
def test_features_that_are_no_numbers_are_not_stored(value: float, dtype: Any) -> None:
    with pytest.raises(GalleryError, match="not finite"):
        pack_features(np.full((1, 5), value, np.float32), dtype, PARTS, STEPS)


def test_floats_are_of_the_entries_that_were_asked_for() -> None:
    made = gallery(1, 2, 3)
    steps = np.array([0.5] * 3 + [0.25] * 2, np.float32)
    assert np.array_equal(made.floats([2, 0])[0], made.entries[2].features * steps)
    assert made.floats([2, 0]).shape == (2, 4, 4, 5)
    assert made.floats([]).shape == (0, 4, 4, 5)
    assert made.floats().dtype == np.float32


# What a reader must refuse


def edited(change: Callable[[dict[str, Any]], object], **kind: Any) -> bytes:
    """A gallery's bytes with its header changed; ``entries`` and ``feature_parts`` are taken apart for it."""
    written = content(gallery(1, 2, **kind))
    length = int.from_bytes(written[:8], "little")
    header = json.loads(written[8 : 8 + length])
    metadata = header["__metadata__"]
    inner = ("entries", "feature_parts")
    metadata |= {key: json.loads(metadata[key]) for key in inner}
    change(header)
    for key in inner:
        if key in metadata and not isinstance(metadata[key], str):
            metadata[key] = json.dumps(metadata[key])
    return with_header(json.dumps(header).encode(), written[8 + length :])


def with_header(header: bytes, data: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + data


def meta(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda header: header["__metadata__"].update(changes)


def first(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda header: header["__metadata__"]["entries"][0].update(changes)


def tensor(name: str, **changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda header: header[name].update(changes)


def test_the_editor_of_these_tests_leaves_a_gallery_readable() -> None:
    assert len(decode_gallery(edited(lambda header: None))) == 2


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another format": (meta(format="other"), "no edgesr gallery"),
    "no metadata": (lambda h: h.pop("__metadata__") and h.update(__metadata__={}), "no edgesr gallery"),
    "a later version": (meta(format_version=str(FORMAT_VERSION + 1)), "format version"),
    "a version that is a number": (meta(format_version=1), "format version"),
    "a field too many": (meta(thumbnail="x"), "strange field 'thumbnail'"),
    "a field too few": (lambda h: h["__metadata__"].pop("scale"), "no 'scale'"),
    "an empty feature space": (meta(feature_space=""), "feature_space"),
    "a long feature space": (meta(feature_space="x" * 201), "feature_space"),
    "a feature space of two lines": (meta(feature_space="a\nb"), "feature_space"),
    "half a surrogate pair": (meta(feature_space="\ud800"), "feature_space is no text"),
    "entries of half a surrogate pair": (meta(entries="\ud800"), "entries cannot be read"),
    "a scale of 3": (meta(scale="3"), "scale is 3"),
    "a scale of four": (meta(scale="four"), "'four'"),
    "a scale of 04": (meta(scale="04"), "'04'"),
    "a huge lr_size": (meta(lr_size="100000"), "lr_size is 100000"),
    "another lr_size": (meta(lr_size="8"), "features"),
    "no parts": (meta(feature_parts=[]), "0 parts"),
    "other parts": (meta(feature_parts=[["f_ref", 4], ["g_ref", 2]]), "features"),
    "a part twice": (meta(feature_parts=[["f_ref", 3], ["f_ref", 2]]), "feature parts"),
    "a part of nothing": (meta(feature_parts=[["f_ref", 5], ["g_ref", 0]]), "feature part"),
    "parts that are an object": (meta(feature_parts={"f_ref": 3}), "no list"),
    "an entry too few": (lambda h: h["__metadata__"]["entries"].pop(), "should be"),
    "an entry with a path": (first(path="/home/me"), "an entry is"),
    "an entry without pose": (lambda h: h["__metadata__"]["entries"][0].pop("pose"), "an entry is"),
    "a hash in capitals": (first(photo_sha256="AB" * 32), "photo_sha256"),
    "a hash that is none": (first(photo_sha256=12), "an entry is"),
    "a name that is null": (first(name=None), "an entry is"),
    "a name with a line break": (first(name="a\nb"), "name"),
    "a name too long": (first(name="ß" * 101), "name"),
    "a fraction": (first(quality={"sharpness": 0.5}), "no whole number"),
    "a measure beyond": (first(quality={"sharpness": 10**10}), "measure"),
    "a measure that is true": (first(quality={"sharpness": True}), "measure"),
    "a measure in capitals": (first(quality={"Sharp": 1}), "measures"),
    "many measures": (first(pose={f"m{i}": 1 for i in range(17)}), "measures"),
    "one photo twice": (
        lambda h: h["__metadata__"]["entries"][0].update(photo_sha256=h["__metadata__"]["entries"][1]["photo_sha256"]),
        "one photo twice",
    ),
    "a tensor too many": (
        lambda h: h.update(thumbnail={"dtype": "I8", "shape": [0], "data_offsets": [0, 0]}),
        "unknown tensor 'thumbnail'",
    ),
    "no features": (lambda h: h.pop("features"), "no features"),
    "features in F32": (tensor("features", dtype="F32"), "features"),
    "an unknown dtype": (tensor("features", dtype="F8"), "features"),
    "a dtype that is a list": (tensor("features", dtype=["I8"]), "features"),
    "a negative size": (tensor("features", shape=[-2, 4, 4, 5]), "features"),
    "a huge shape": (tensor("features", shape=[2**29, 2**29, 2**29, 2**29]), "features"),
    "many axes": (tensor("features", shape=[1] * 99), "features"),
    "overlapping tensors": (tensor("features", data_offsets=[0, 160]), "lies at"),
    "descriptors of nothing": (tensor("descriptors", shape=[2, 0], data_offsets=[0, 0]), "lies at|descriptors"),
    "embeddings without embedder": (
        lambda h: h.update(embeddings={"dtype": "F32", "shape": [2, 0], "data_offsets": [56, 56]}),
        "embeddings",
    ),
    "embedder without embeddings": (meta(embedder="x"), "embeddings"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_header_is_refused_by_name(what: str) -> None:
    change, message = WRONG[what]
    with pytest.raises(GalleryError, match=message):
        decode_gallery(edited(change))


def test_nothing_is_allocated_by_a_number_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "huge.gallery"
    for length in (2**63, 2**20, 10**6):
        path.write_bytes(length.to_bytes(8, "little") + b"{}")
        with pytest.raises(GalleryError, match="cut off"):
            read_gallery(path)


@pytest.mark.parametrize("header", [b"", b"{", b"\xff\xfe", b"[]", b"1", b"null", b"[" * 100_000, b"9" * 5000, b"NaN"])
def test_a_header_that_is_none_is_refused(header: bytes) -> None:
    with pytest.raises(GalleryError):
        decode_gallery(with_header(header, b""))


def test_a_key_that_stands_twice_is_refused() -> None:
    written = edited(lambda header: None).replace(b'"scale": "4"', b'"scale": "4","scale": "4"')
    header = written[8 : written.rindex(b"}") + 1]
    with pytest.raises(GalleryError, match="twice"):
        decode_gallery(with_header(header, b""))


def test_a_file_that_is_longer_or_shorter_is_refused() -> None:
    written = content(gallery(1, 2))
    assert decode_gallery(written)
    for damaged in (written[:-1], written + b"\0", written[:100], written[:7], b""):
        with pytest.raises(GalleryError):
            decode_gallery(damaged)


def test_another_spelling_of_the_header_is_read() -> None:
    """Only writers are held to every byte."""
    made = gallery(1, 2)
    assert equal(decode_gallery(edited(lambda header: None)), made)  # json.dumps puts spaces, and no fill behind


@pytest.mark.parametrize("dtype", ["int8", "fp16"])
@pytest.mark.parametrize(("name", "value"), [("descriptor", math.nan), ("embedding", math.inf), ("features", None)])
def test_numbers_that_are_none_are_refused(dtype: Any, name: str, value: float | None) -> None:
    made = gallery(1, 2, dtype=dtype, embedded=True)
    array = np.array(getattr(made.entries[1], name))
    array.flat[-1] = value if value is not None else (-128 if dtype == "int8" else math.nan)
    broken = Entry(**{**vars(made.entries[1]), name: array})
    with pytest.raises(GalleryError, match=r"finite|-128"):
        content(made.replace(entries=(made.entries[0], broken)))
    # The same bytes from a file: the good array's stand exactly once in it.
    written, old = content(made), np.array(getattr(made.entries[1], name)).tobytes()
    assert written.count(old) == 1
    with pytest.raises(GalleryError, match=r"finite|-128"):
        decode_gallery(written.replace(old, array.tobytes()))


@pytest.mark.parametrize("steps", [[0.0, 1.0], [-1.0, 1.0], [math.nan, 1.0], [math.inf, 1.0], [1e-30, 1.0]])
def test_a_scale_that_is_none_is_refused(steps: list[float]) -> None:
    written = content(gallery(1))
    good = np.array(list(STEPS.values()), "<f4").tobytes()
    assert written.count(good) == 1
    with pytest.raises(GalleryError, match="scales"):
        decode_gallery(written.replace(good, np.array(steps, "<f4").tobytes()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 3}, "scale"),
        ({"lr_size": 5}, "features"),
        ({"feature_scales": None}, "scales"),
        ({"dtype": "fp16"}, "fp16|scales"),
        ({"feature_space": "a\tb"}, "feature_space"),
        ({"feature_parts": {"f_ref": 5, "g_ref": 1}}, "features"),
        ({"embedder": "x"}, "embedding"),
        ({"entries": gallery(1, 1).entries}, "twice"),
        ({"entries": (gallery(1).entries[0], gallery(2, embedded=True).entries[0])}, "embedding"),
        ({"entries": (gallery(1).entries[0], gallery(2, dtype="fp16").entries[0])}, "int8"),
    ],
)
def test_a_writer_refuses_what_no_reader_would_take(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match=message):
        write_gallery(tmp_path / "a.gallery", gallery(1, 2).replace(**changes))
    assert not list(tmp_path.iterdir())


def test_another_feature_space_is_refused_by_name(tmp_path: Path) -> None:
    write_gallery(tmp_path / "a.gallery", gallery(1))
    assert read_gallery(tmp_path / "a.gallery", feature_space="made-up-0a1b2c3d4e5f")
    with pytest.raises(GalleryError, match="made-up-0a1b2c3d4e5f, and this network takes another"):
        read_gallery(tmp_path / "a.gallery", feature_space="another")


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="no file"):
        read_gallery(tmp_path / "nowhere")
    with pytest.raises(GalleryError):
        read_gallery(tmp_path)


# The files that other languages are tested with


def samples() -> list[str]:
    return sorted(path.name for path in SAMPLES.glob("*.gallery"))


def test_there_are_sample_files() -> None:
    assert len(samples()) >= 4
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 300_000


@pytest.mark.parametrize("name", samples())
def test_a_sample_file_decodes_to_what_stands_beside_it(name: str) -> None:
    expected = json.loads((SAMPLES / name).with_suffix(".json").read_text())
    read = read_gallery(SAMPLES / name)
    assert content(read) == (SAMPLES / name).read_bytes()
    assert decoding(read) == expected
