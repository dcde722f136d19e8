"""Which layer gets which precision, as data: the default is the policy of the shipped network, a file changes it."""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from edgesr.errors import InputOutputError, UsageError
from edgesr.files.reading import parse_json, parse_toml, read_text
from edgesr.models.architecture import Architecture, NetworkConfig
from edgesr.models.registry import ARCHITECTURES, architecture_of

LayerPrecision = Literal["int8", "float"]
PRECISIONS: tuple[LayerPrecision, ...] = ("int8", "float")
REFUSED = {
    "int16": "int16 activations take 20 times as long on XNNPACK, and Core ML has none: keep the layer in float",
    "int4": "no target here computes convolutions with 4-bit weights",
    "fp16": "float is fp16 where a target computes in it (Core ML) and fp32 elsewhere",
    "fp32": "float is fp16 where a target computes in it (Core ML) and fp32 elsewhere",
}
NEAR = 3


@dataclasses.dataclass(frozen=True)
class Rule:
    """A precision for the layers whose name matches a pattern (``*`` for any characters, as in file names)."""

    layers: str
    precision: LayerPrecision
    why: str = ""

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(
                f"{self.layers} cannot have the precision {self.precision!r}",
                REFUSED.get(str(self.precision), f"precisions: {', '.join(PRECISIONS)}"),
            )


@dataclasses.dataclass(frozen=True)
class Recipe:
    """W8A8 unless a rule says otherwise; of several rules for a layer the last one counts.

    int8 is per-channel symmetric for weights and per-tensor affine for activations; what the gallery stores has
    the feature space's fixed scales. What is no layer (sampling, CoFA's products, the bicubic skip) is float.
    """

    name: str = "policy"
    rules: tuple[Rule, ...] = ()

    def precision_of(self, layer: str) -> LayerPrecision:
        """Precision of the layer of that name."""
        found: LayerPrecision = "int8"
        for rule in self.rules:
            if fnmatch.fnmatchcase(layer, rule.layers):
                found = rule.precision
        return found

    def quantized(self, layers: Iterable[str]) -> list[str]:
        """The layers that are int8."""
        return [layer for layer in layers if self.precision_of(layer) == "int8"]

    def check(self, layers: Sequence[str]) -> None:
        """Raises UsageError where a rule matches no layer: it lists those with a name near to it."""
        for rule in self.rules:
            if not any(fnmatch.fnmatchcase(layer, rule.layers) for layer in layers):
                near = difflib.get_close_matches(rule.layers, layers, NEAR, cutoff=0.4)
                hint = f"near it: {', '.join(near)}" if near else "edgesr quantize --write-recipe FILE lists all layers"
                raise UsageError(f"recipe {self.name!r} names {rule.layers!r}, and there is no such layer", hint)

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "rules": [dataclasses.asdict(rule) for rule in self.rules]}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Recipe:
        """The inverse of ``to_dict``; unknown fields are refused."""
        try:
            unknown = set(fields) - {"name", "rules"}
            if not isinstance(fields.get("rules", []), list):
                raise TypeError("rules are a list")
            rules = tuple(Rule(**rule) for rule in fields.get("rules", []))
            if unknown or not all(isinstance(rule.layers, str) and isinstance(rule.why, str) for rule in rules):
                raise TypeError(f"unknown {', '.join(sorted(unknown))}" if unknown else "layers and why are text")
            return cls(str(fields.get("name", "recipe")), rules)
        except (TypeError, AttributeError) as error:
            raise UsageError(
                f"no recipe: {error}", "it has a name and rules, each with layers, precision and perhaps why"
            ) from error


POLICY = "policy"
"""Name of the recipe that is taken unless another one is given: its architecture's."""


def policy_of(config: NetworkConfig) -> Recipe:
    """W8A8, with what the network's architecture keeps in float."""
    return _policy(architecture_of(config))


def is_policy(recipe: Recipe) -> bool:
    """Whether a recipe is what networks are quantized by where nobody says otherwise."""
    policies = [_policy(one).rules for one in ARCHITECTURES.values()]
    return recipe.rules in policies and (bool(recipe.rules) or recipe.name == POLICY)


def _policy(architecture: Architecture) -> Recipe:
    return Recipe(POLICY, tuple(Rule(layers, "float", why) for layers, why in architecture.in_float.items()))


EVERYTHING = Recipe("everything")
"""Every layer in int8."""


def first_and_last(layers: Sequence[str]) -> Recipe:
    """Everything in int8 but each graph's first and last convolution, as is common practice."""
    rules = []
    for graph in ("encode", "restore"):
        own = [layer for layer in layers if layer.startswith(f"{graph}.")]
        rules += [Rule(own[0], "float", f"first of {graph}"), Rule(own[-1], "float", f"last of {graph}")]
    return Recipe("first-and-last", tuple(rules))


def read_recipe(path: Path) -> Recipe:
    """A recipe from TOML, or from JSON where the file's name ends so.

    Raises:
        InputOutputError: it cannot be read. UsageError: it is no recipe.
    """
    hint = "edgesr quantize --write-recipe FILE writes one to start from"
    text, parse = read_text(path, hint), parse_json if path.suffix == ".json" else parse_toml
    try:
        fields: Any = parse(text, str(path), hint)
    except InputOutputError as error:
        raise UsageError(f"{path} is no {'JSON' if path.suffix == '.json' else 'TOML'}: {error.what}", hint) from error
    if isinstance(fields, dict) and path.suffix != ".json" and "rule" in fields:
        named, more = fields.get("rules", []), fields.pop("rule")
        fields["rules"] = [*named, *more] if isinstance(named, list) and isinstance(more, list) else None
    if not isinstance(fields, dict):
        raise UsageError(f"{path} holds no recipe", hint)
    return Recipe.from_dict({"name": path.stem, **fields})


def recipe_text(recipe: Recipe, layers: Sequence[str] = ()) -> str:
    """The recipe as TOML, with the precision of each of ``layers`` as comments below."""
    lines = [
        "# Precision of each layer: int8 unless a rule says float; of several rules for a layer the last one counts.",
        f"name = {json.dumps(recipe.name)}",
    ]
    for rule in recipe.rules:
        lines += ["", "[[rule]]", f"layers = {json.dumps(rule.layers)}", f'precision = "{rule.precision}"']
        lines += [f"why = {json.dumps(rule.why)}"] if rule.why else []
    if layers:
        lines += ["", "# The layers, as this recipe has them:"]
        lines += [f"#   {recipe.precision_of(layer):5}  {layer}" for layer in layers]
    return "\n".join(lines) + "\n"
