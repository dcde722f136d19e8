"""Galleries made up for tests: small, of every kind, each entry unlike the others."""

from __future__ import annotations

import hashlib

import numpy as np

from edgesr.gallery.format import DType, Entry, Gallery, pack_features

PARTS = {"f_ref": 3, "g_ref": 2}
STEPS = {"f_ref": 0.5, "g_ref": 0.25}
SIZE = 4


def entry(seed: int, dtype: DType = "int8", *, name: str | None = None, embedded: bool = False) -> Entry:
    random = np.random.default_rng(seed)
    features = random.normal(0, 8, (SIZE, SIZE, sum(PARTS.values()))).astype(np.float32)
    return Entry(
        features=pack_features(features, dtype, PARTS, STEPS),
        descriptor=random.normal(size=7).astype(np.float32),
        photo_sha256=hashlib.sha256(str(seed).encode()).hexdigest(),
        quality={"sharpness": 0.5 + seed / 1000, "size_px": 140.0, "exposure": 0.4},
        pose={"yaw_deg": -3.25, "pitch_deg": 0.0, "roll_deg": 1.5},
        name=name,
        embedding=random.normal(size=5).astype(np.float32) if embedded else None,
    )


def gallery(*seeds: int, dtype: DType = "int8", names: bool = False, embedded: bool = False) -> Gallery:
    return Gallery(
        feature_space="made-up-0a1b2c3d4e5f",
        scale=4,
        lr_size=SIZE,
        feature_parts=PARTS,
        feature_scales=STEPS if dtype == "int8" else None,
        dtype=dtype,
        entries=tuple(
            entry(seed, dtype, name=f"photo {seed}.jpg" if names else None, embedded=embedded) for seed in seeds
        ),
        embedder="made up" if embedded else None,
    )
