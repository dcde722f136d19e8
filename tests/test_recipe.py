"""Recipes: which layer gets which precision, from and to a file, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgesr.errors import InputOutputError, UsageError
from edgesr.models.hime.config import HIMEConfig
from edgesr.quantize.recipe import EVERYTHING, Recipe, Rule, first_and_last, policy_of, read_recipe, recipe_text

POLICY = policy_of(HIMEConfig())
LAYERS = [
    "encode.exemplar_extractor.mono",
    "encode.exemplar_extractor.blocks.0.add",
    "encode.g_ref",
    "restore.lr_extractor.conv",
    "restore.alignment.hidden",
    "restore.alignment.offset_y",
    "restore.aggregation.u",
    "restore.reconstructor.up2",
]


@pytest.mark.parametrize(
    ("recipe", "in_float"),
    [
        (POLICY, ["restore.aggregation.u"]),
        (EVERYTHING, []),
        (first_and_last(LAYERS), [LAYERS[0], "encode.g_ref", "restore.lr_extractor.conv", "restore.reconstructor.up2"]),
    ],
    ids=["policy", "everything", "first and last"],
)
def test_what_a_recipe_leaves_in_float(recipe: Recipe, in_float: list[str]) -> None:
    recipe.check(LAYERS)
    quantized = recipe.quantized(LAYERS)
    assert [layer for layer in LAYERS if layer not in quantized] == in_float


def test_the_last_rule_for_a_layer_counts() -> None:
    recipe = Recipe("mine", (Rule("restore.*", "float"), Rule("restore.alignment.*", "int8")))
    assert recipe.precision_of("restore.lr_extractor.conv") == "float"
    assert recipe.precision_of("restore.alignment.offset_y") == "int8"


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_a_recipe_comes_back_from_its_file(tmp_path: Path, suffix: str) -> None:
    import json

    path = tmp_path / f"mine{suffix}"
    recipe = Recipe("mine", (*POLICY.rules, Rule("encode.g_ref", "float", 'it "rings"')))
    path.write_text(recipe_text(recipe, LAYERS) if suffix == ".toml" else json.dumps(recipe.to_dict()))
    assert read_recipe(path) == recipe


def test_the_written_recipe_names_every_layer() -> None:
    text = recipe_text(POLICY, LAYERS)
    assert all(layer in text for layer in LAYERS)
    assert "float  restore.aggregation.u" in text


def test_a_layer_that_there_is_not_lists_near_ones() -> None:
    recipe = Recipe("mine", (Rule("restore.reconstructor.upp2", "float"),))
    with pytest.raises(UsageError, match=r"no such layer") as failure:
        recipe.check(LAYERS)
    assert "restore.reconstructor.up2" in failure.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not toml at all [", "is no TOML"),
        ('[[rule]]\nlayers = "a"\nprecision = "int16"', "20 times as long"),
        ('[[rule]]\nlayers = "a"\nprecision = "nonsense"', "precisions: int8, float"),
        ('[[rule]]\nlayer = "a"\nprecision = "int8"', "no recipe"),
        ('[[rule]]\nlayers = 3\nprecision = "int8"', "no recipe"),
        ('rules = "x"', "no recipe"),
        ('colour = "blue"', "colour"),
    ],
)
def test_what_is_no_recipe_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as failure:
        read_recipe(path)
    assert said in str(failure.value)


def test_a_recipe_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputOutputError, match="no file"):
        read_recipe(tmp_path / "none.toml")
