"""Whatever is no gallery file to the byte is refused, with a reason."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from galleries import KINDS, OTHER, PARTS, STEPS, content, gallery, section, stored_of, with_header

from edgesr.errors import GalleryError
from edgesr.gallery.format import (
    Entry,
    Gallery,
    decode_gallery,
    read_gallery,
    write_gallery,
)
from edgesr.gallery.header import FORMAT_VERSION
from edgesr.gallery.strict_json import compact
from edgesr.models.interface import FeatureMap


def edited(change: Callable[[dict[str, Any]], object], made: Gallery | None = None) -> bytes:
    """A gallery's bytes with its header changed, and the right hash of that; ``sections``, ``entries`` and
    ``extensions`` are taken apart for it."""
    written = content(made or gallery(1, 2))
    length = int.from_bytes(written[:8], "little")
    header = json.loads(written[8 : 8 + length])
    metadata = header["__metadata__"]
    inner = [key for key in ("sections", "entries", "extensions") if key in metadata]
    metadata |= {key: json.loads(metadata[key]) for key in inner}
    change(header)
    for key in inner:
        if key in metadata and not isinstance(metadata[key], str):
            metadata[key] = compact(metadata[key])
    text = json.dumps(header, ensure_ascii=not _encodes(header), separators=(",", ":")).encode()
    return with_header(text + b" " * (-len(text) % 8), written[8 + length :])


def _encodes(header: dict[str, Any]) -> bool:
    try:
        return bool(json.dumps(header, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False


def meta(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda header: header["__metadata__"].update(changes)


def first(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda header: header["__metadata__"]["entries"][0].update(changes)


def part(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda header: header["__metadata__"]["sections"][0].update(changes)


def tensor(name: str, **changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda header: header[name].update(changes)


def test_the_editor_of_these_tests_leaves_a_gallery_as_it_was() -> None:
    for make in KINDS.values():
        assert edited(lambda header: None, make(1, 2)) == content(make(1, 2))


WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another format": (meta(format="other"), "no edgesr gallery"),
    "no metadata": (lambda h: h.pop("__metadata__") and h.update(__metadata__={}), "no edgesr gallery"),
    "a later version": (meta(format_version=str(FORMAT_VERSION + 1)), "format version"),
    "a version that is a number": (meta(format_version=1), "format version"),
    "a field too many": (meta(thumbnail="x"), "strange field 'thumbnail'"),
    "a field too few": (lambda h: h["__metadata__"].pop("sections"), "no 'sections'"),
    "a field that is a number": (meta(embedder=1), "no text"),
    "no sections": (meta(sections=[]), "0 sections"),
    "sections that are an object": (meta(sections={}), "no list"),
    "a section that is a text": (meta(sections=["x"]), "a section is"),
    "a section too many": (lambda h: h["__metadata__"]["sections"].append(h["__metadata__"]["sections"][0]), "two"),
    "a field of a section too many": (part(thumbnail="x"), "a section is"),
    "a field of a section too few": (lambda h: h["__metadata__"]["sections"][0].pop("codes"), "a section is"),
    "an empty feature space": (part(feature_space=""), "feature_space"),
    "a long feature space": (part(feature_space="x" * 201), "feature_space"),
    "a feature space that is a number": (part(feature_space=1), "a section is"),
    "half a surrogate pair": (meta(sections="\ud800"), "sections cannot be read"),
    "entries of half a surrogate pair": (meta(entries="\ud800"), "entries cannot be read"),
    "a scale of 3": (part(scale=3), "scale is 3"),
    "a scale of four": (part(scale="four"), "'four'"),
    "a scale that is true": (part(scale=True), "scale is True"),
    "a huge lr_size": (part(lr_size=100000), "lr_size is 100000"),
    "an unknown dtype of the maps": (part(dtype="int4"), "a section is"),
    "a dtype that is a list": (part(dtype=["int8"]), "a section is"),
    "other parts": (part(maps=[["features", 4, [["f_ref", 4], ["g_ref", 2]]]]), "features"),
    "a part twice": (part(maps=[["features", 4, [["f_ref", 3], ["f_ref", 2]]]]), "feature parts"),
    "a part of nothing": (part(maps=[["features", 4, [["f_ref", 5], ["g_ref", 0]]]]), "channels"),
    "a map of no parts": (part(maps=[["features", 4, []]]), "a section is"),
    "no maps": (part(maps=[]), "0 maps"),
    "a map of no size": (part(maps=[["features", 0, [["f_ref", 3], ["g_ref", 2]]]]), "a side of 0"),
    "a huge map": (part(maps=[["features", 2**40, [["f_ref", 3], ["g_ref", 2]]]]), "a side of"),
    "a map that is called like the steps": (part(maps=[["scales", 4, [["f_ref", 3], ["g_ref", 2]]]]), "called"),
    "a map with a path for a name": (part(maps=[["../a", 4, [["f_ref", 3], ["g_ref", 2]]]]), "called"),
    "a code that is not there": (part(codes=[["style", 4]]), "style"),
    "a code of a name that is a map's": (part(codes=[["features", 4]]), "called"),
    "a code of nothing": (part(codes=[["style", 0]]), "a code has 0"),
    "rows that fall": (part(entries=[1, 0]), "a section's entries"),
    "a row twice": (part(entries=[0, 0]), "a section's entries"),
    "a row beyond": (part(entries=[0, 2]), "a section's entries"),
    "a row that is true": (part(entries=[False, True]), "a section's entries"),
    "a row too few": (part(entries=[0]), "should be"),
    "an entry too few": (lambda h: h["__metadata__"]["entries"].pop(), "a section's entries"),
    "an entry with a path": (first(path="/home/me"), "an entry is"),
    "an entry without pose": (lambda h: h["__metadata__"]["entries"][0].pop("pose"), "an entry is"),
    "a hash in capitals": (first(photo_sha256="AB" * 32), "photo_sha256"),
    "a hash that is none": (first(photo_sha256=12), "an entry is"),
    "a name that is null": (first(name=None), "an entry is"),
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
    "extensions that are a list": (meta(extensions="[]"), "no object of texts"),
    "extensions that are empty": (meta(extensions="{}"), "as the format says"),
    "an extension that is a number": (meta(extensions='{"a":1}'), "no object of texts"),
    "an extension with room for a picture": (meta(extensions='{"a":"' + 1001 * "x" + '"}'), "extension a"),
    "many extensions": (meta(extensions=json.dumps({f"a{i}": "x" for i in range(17)})), "extensions"),
    "extensions out of order": (meta(extensions='{"b":"x","a":"x"}'), "as the format says"),
    "a tensor too many": (
        lambda h: h.update(thumbnail={"dtype": "I8", "shape": [0], "data_offsets": [0, 0]}),
        "unknown tensor 'thumbnail'",
    ),
    "no features": (lambda h: h.pop("0.features"), "features"),
    "features in F32": (tensor("0.features", dtype="F32"), "features"),
    "a negative size": (tensor("0.features", shape=[-2, 4, 4, 5]), "features"),
    "a huge shape": (tensor("0.features", shape=[2**29, 2**29, 2**29, 2**29]), "features"),
    "overlapping tensors": (tensor("0.features", data_offsets=[0, 160]), "as the format says"),
    "a field of a tensor too many": (tensor("0.features", x=1), "as the format says"),
    "descriptors of nothing": (tensor("descriptors", shape=[2, 0], data_offsets=[0, 0]), "descriptors"),
    "descriptors without a shape": (tensor("descriptors", shape=[]), "descriptors"),
    "embeddings without embedder": (
        lambda h: h.update(embeddings={"dtype": "F32", "shape": [2, 0], "data_offsets": [56, 56]}),
        "unknown tensor 'embeddings'",
    ),
    "embedder without embeddings": (meta(embedder="x"), "embeddings"),
    "tensors in another order": (lambda h: h.update(descriptors=h.pop("descriptors")), "as the format says"),
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
    written = content(gallery(1, 2))
    header = written[8 : written.rindex(b"}") + 1]
    twice = header.replace(b'"descriptors":', b'"descriptors":1,"descriptors":')
    with pytest.raises(GalleryError, match="twice"):
        decode_gallery(with_header(twice, b""))


def test_a_file_that_is_longer_or_shorter_is_refused() -> None:
    written = content(gallery(1, 2))
    assert decode_gallery(written)
    for damaged in (written[:-1], written + b"\0", written[:100], written[:7], b""):
        with pytest.raises(GalleryError):
            decode_gallery(damaged)


@pytest.mark.parametrize("fill", [b"", b" " * 16, b"\n"])
def test_another_spelling_of_the_header_is_refused(fill: bytes) -> None:
    """A reader takes what a writer writes, so that no two files hold the same."""
    written = content(gallery(1, 2))
    length = int.from_bytes(written[:8], "little")
    header = written[8 : 8 + length].rstrip() + fill
    assert header != written[8 : 8 + length]
    with pytest.raises(GalleryError, match="as the format says"):
        decode_gallery(with_header(header, written[8 + length :]))


@pytest.mark.parametrize("kind", KINDS)
def test_every_changed_byte_is_refused(kind: str) -> None:
    """Whichever byte, whatever it becomes."""
    written = content(KINDS[kind](1, 2))
    random = np.random.default_rng(0)
    for at in range(len(written)):
        change = int(random.integers(1, 256))
        damaged = written[:at] + bytes([written[at] ^ change]) + written[at + 1 :]
        with pytest.raises(GalleryError):
            decode_gallery(damaged)


@pytest.mark.parametrize("dtype", ["int8", "fp16"])
@pytest.mark.parametrize(("name", "value"), [("descriptor", math.nan), ("embedding", math.inf), ("features", None)])
def test_numbers_that_are_none_are_refused(dtype: Any, name: str, value: float | None) -> None:
    made = gallery(1, 2, dtype=dtype, embedded=True)
    good = stored_of(made.entries[1]) if name == "features" else getattr(made.entries[1], name)
    array = np.array(good)
    array.flat[-1] = value if value is not None else (-128 if dtype == "int8" else math.nan)
    broken = Entry(**{**vars(made.entries[1]), name: ((array,),) if name == "features" else array})
    with pytest.raises(GalleryError, match=r"finite|-128"):
        content(made.replace(entries=(made.entries[0], broken)))
    # The same bytes from a file: the good array's stand exactly once in it.
    with pytest.raises(GalleryError, match=r"finite|-128"):
        decode_gallery(replaced(content(made), np.array(good).tobytes(), array.tobytes()))


def replaced(written: bytes, old: bytes, new: bytes) -> bytes:
    """A file with other numbers, and the right hash of them."""
    assert written.count(old) == 1
    length = int.from_bytes(written[:8], "little")
    return with_header(written[8 : 8 + length], written[8 + length :].replace(old, new))


@pytest.mark.parametrize("steps", [[0.0, 1.0], [-1.0, 1.0], [math.nan, 1.0], [math.inf, 1.0], [1e-30, 1.0]])
def test_a_scale_that_is_none_is_refused(steps: list[float]) -> None:
    good = np.array(list(STEPS.values()), "<f4").tobytes()
    with pytest.raises(GalleryError, match="scales"):
        decode_gallery(replaced(content(gallery(1)), good, np.array(steps, "<f4").tobytes()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sections": (section(scale=3),)}, "scale"),
        ({"sections": (section(maps=(FeatureMap("features", 5, 5, tuple(PARTS.items())),)),)}, "features"),
        ({"sections": (section(steps=None),)}, "scales"),
        ({"sections": (section(steps={"f_ref": 1.0}),)}, "scales"),
        ({"sections": (section("fp16"),)}, "F16"),
        ({"sections": (section(feature_space="a\tb"),)}, "feature_space"),
        ({"sections": (section(), section())}, "sections"),
        ({"sections": (section(), OTHER)}, "sections"),
        ({"embedder": "x"}, "embedding"),
        ({"entries": gallery(1, 1).entries}, "twice"),
        ({"entries": (gallery(1).entries[0], gallery(2, embedded=True).entries[0])}, "embedding"),
        ({"entries": (gallery(1).entries[0], gallery(2, dtype="fp16").entries[0])}, "I8"),
        ({"extensions": {"Booth": "x"}}, "extensions"),
        ({"extensions": {"booth": "a\nb"}}, "extension booth"),
    ],
)
def test_a_writer_refuses_what_no_reader_would_take(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match=message):
        write_gallery(tmp_path / "a.gallery", gallery(1, 2).replace(**changes))
    assert not list(tmp_path.iterdir())


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="no file"):
        read_gallery(tmp_path / "nowhere")
    with pytest.raises(GalleryError):
        read_gallery(tmp_path)
