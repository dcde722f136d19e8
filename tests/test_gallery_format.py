"""A gallery file is settled to the byte, in this version and the one before."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from galleries import KINDS, PARTS, STEPS, content, gallery, of_two_networks, stored_of, with_header
from make_galleries import decoding

from edgesr.errors import GalleryError
from edgesr.gallery import edit
from edgesr.gallery.format import (
    Entry,
    Gallery,
    decode_gallery,
    pack_features,
    read_gallery,
    version_of,
    write_gallery,
)
from edgesr.gallery.header import FORMAT_VERSION, thousandths
from edgesr.gallery.section import Section
from edgesr.models.interface import FeatureMap

DOCUMENT = Path(__file__).parent.parent / "docs" / "gallery-format.md"
SAMPLES = Path(__file__).parent / "data" / "galleries"


def equal(a: Gallery, b: Gallery) -> bool:
    """Whether two galleries hold the same."""
    return content(a) == content(b)


def the_example() -> Gallery:
    """The example of docs/gallery-format.md, from its words."""
    features = np.zeros((4, 4, 2), np.float32)
    features[0, 0], features[0, 1] = (0.25, -0.375), (0.75, 100)
    maps = (FeatureMap("features", 2, 4, (("f_ref", 1), ("g_ref", 1))),)
    section = Section("tiny-0a1b2c3d4e5f", 4, 4, maps, (), "int8", {"f_ref": 0.5, "g_ref": 0.25})
    only = Entry(
        features=(section.pack([features]),),
        descriptor=np.array([0.5, -1], np.float32),
        photo_sha256="ab" * 32,
        quality={"sharpness": 0.8125, "size_px": 140.0},
        pose={"yaw_deg": -3.25, "pitch_deg": 0.0, "roll_deg": 1.5},
        name='Zoë "x".jpg',
    )
    return Gallery((section,), (only,))


def test_the_documents_example_is_what_is_written_and_read() -> None:
    lines = re.findall(r"^[0-9a-f]{4}  ((?:[0-9a-f]{2} ?)+) ", DOCUMENT.read_text(), re.MULTILINE)
    printed = bytes.fromhex("".join(lines))
    assert len(printed) == len(content(the_example()))
    assert printed == content(the_example())
    read = decode_gallery(printed)
    assert read.entries[0].name == 'Zoë "x".jpg'
    assert read.entries[0].quality["sharpness"] == 0.812  # 812.5 thousandths, half to even
    assert read.floats()[0, 0, :2].tolist() == [[0.0, -0.5], [1.0, 31.75]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_was_written_is_read(kind: str, count: int, tmp_path: Path) -> None:
    made = KINDS[kind](*range(count))
    write_gallery(tmp_path / "a.gallery", made)
    read = read_gallery(tmp_path / "a.gallery")
    assert equal(read, made)
    assert [e.name for e in read.entries] == [e.name for e in made.entries]
    assert [e.photo_sha256 for e in read.entries] == [e.photo_sha256 for e in made.entries]
    for one, other in zip(read.entries, made.entries, strict=True):
        assert [held is None for held in one.features] == [held is None for held in other.features]
        for held, stored in zip(one.features, other.features, strict=True):
            for array, expected in zip(held or (), stored or (), strict=True):
                assert array.dtype == expected.dtype
                assert np.array_equal(array, expected)
        assert np.array_equal(one.descriptor, other.descriptor)
        assert one.quality == pytest.approx(other.quality, abs=0.0005)
        assert one.pose == pytest.approx(other.pose, abs=0.0005)
        if other.embedding is not None:
            assert np.array_equal(one.embedding, other.embedding)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_safetensors_file(kind: str) -> None:
    made = KINDS[kind](1, 2)
    tensors = safetensors.numpy.load(content(made))
    assert np.array_equal(tensors["0.features"][1], stored_of(made.entries[1]))
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
    assert np.array_equal(made.floats([2, 0])[0], stored_of(made.entries[2]) * steps)
    assert made.floats([2, 0]).shape == (2, 4, 4, 5)
    assert made.floats([]).shape == (0, 4, 4, 5)
    assert made.floats().dtype == np.float32


def test_what_other_programs_keep_is_carried_through_a_rewrite(tmp_path: Path) -> None:
    path = tmp_path / "a.gallery"
    write_gallery(path, of_two_networks(1, 2, 3))
    left, _ = edit.remove(path, ["1"])
    assert left.extensions == read_gallery(path).extensions == of_two_networks().extensions


def test_a_section_without_features_of_a_photo_is_carried_through_a_rewrite(tmp_path: Path) -> None:
    path = tmp_path / "a.gallery"
    write_gallery(path, of_two_networks(1, 2, 3))
    assert [read_gallery(path).held(i) for i in (0, 1)] == [[0, 1, 2], [0, 2]]
    edit.remove(path, ["1"])
    left = read_gallery(path)
    assert [left.held(i) for i in (0, 1)] == [[0, 1], [1]]
    with pytest.raises(GalleryError, match="entry 1 has no features for made-up-too"):
        left.floats([0], section=1)


# The files that other languages are tested with


def samples() -> list[str]:
    return sorted(path.name for path in SAMPLES.glob("*.gallery"))


def test_there_are_sample_files() -> None:
    assert len(samples()) >= 7
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 300_000


@pytest.mark.parametrize("name", samples())
def test_a_sample_file_decodes_to_what_stands_beside_it(name: str) -> None:
    expected = json.loads((SAMPLES / name).with_suffix(".json").read_text())
    read = read_gallery(SAMPLES / name)
    assert content(read) == (SAMPLES / name).read_bytes()
    assert decoding(read) == expected


# Version 1


OLD_SAMPLES = sorted(path.name for path in (SAMPLES / "v1").glob("*.gallery"))


@pytest.mark.parametrize("name", OLD_SAMPLES)
def test_a_gallery_of_version_1_is_read_and_upgraded_by_the_next_write(name: str, tmp_path: Path) -> None:
    old = SAMPLES / "v1" / name
    assert version_of(old) == 1
    write_gallery(tmp_path / name, read_gallery(old))
    assert version_of(tmp_path / name) == FORMAT_VERSION
    assert (tmp_path / name).read_bytes() == (SAMPLES / name).read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"format_version":"1"', '"format_version":"2"', "as the format says"),
        ('"format_version":"1"', '"format_version":"3"', "format version"),
        ('"scale":"4"', '"scale":"3"', "scale is 3"),
        ('"scale":"4"', '"scale":"04"', "'04'"),
        ('"scale":"4"', '"scale":"4","thumbnail":"x"', "strange field"),
        ('"lr_size":"4"', '"lr_size":"8"', "features"),
        ('[\\"g_ref\\",1]', '[\\"g_ref\\",0]', "feature part"),
        ('"dtype":"I8"', '"dtype":"F8"', "features"),
        ('"data_offsets":[16,48]', '"data_offsets":[8,40]', "lies at"),
        ('"descriptors":', '"thumbnail":{},"descriptors":', "unknown tensor"),
        ('"scales":{"dtype":"F32","shape":[2]', '"scales":{"dtype":"F32","shape":[1,2]', "scales"),
    ],
)
def test_a_wrong_header_of_version_1_is_refused(old: str, new: str, message: str) -> None:
    written = (SAMPLES / "v1" / "example.gallery").read_bytes()
    length = int.from_bytes(written[:8], "little")
    header = written[8 : 8 + length].decode()
    assert old in header
    with pytest.raises(GalleryError, match=message):
        decode_gallery(with_header(header.replace(old, new, 1).encode(), written[8 + length :]))
