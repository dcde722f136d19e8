"""What targets whose floats are float16 keep out of int8."""

from __future__ import annotations

from edgesr.quantize.recipe import Rule

IN_FLOAT = (
    # A value that float16 rounds to the next int8 step moves a sample by 0.04 pixels: 49.9 dB of parity on Core ML.
    Rule("restore.alignment.offset_*", "float", "float16 resolves offsets finer than int8 steps do"),
    # A trunk rounded to int8 after every block makes of a last bit that float16 rounds otherwise all the noise that
    # quantization has: 48.1 dB of parity where 50 is asked, 52.2 with a float16 trunk; on a Snapdragon's NPU 49.8 and
    # 53.0.
    Rule("restore.*.add", "float", "a float16 trunk is rounded where convolutions read it alone"),
    Rule("restore.fusion", "float", "where the trunk starts"),
)
"""Rules behind a recipe's own."""
