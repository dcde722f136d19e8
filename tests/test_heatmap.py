"""Pictures of what counted: the exemplars' weights over a face, and a face before and after."""

from __future__ import annotations

import numpy as np

from edgesr.enhance.heatmap import compare_sheet, heatmap_sheet, jet, overlay


def test_jet_and_overlay() -> None:
    colours = jet(np.array([0.0, 0.5, 1.0]))
    np.testing.assert_array_equal(colours, [[0, 0, 128], [128, 255, 128], [128, 0, 0]])
    face = np.full((32, 32, 3), 128, np.uint8)
    half = np.zeros((8, 8), np.float32)
    half[:, 4:] = 1.0
    seen = overlay(face, half, 2).astype(int)
    assert seen[16, 2, 2] > seen[16, 2, 0], "blue where it has no weight"
    assert seen[16, 29, 0] > seen[16, 29, 2], "red where it has all"
    sheet = heatmap_sheet([(face, np.stack([half, 1 - half]), ["exemplar 1", "exemplar 4"])])
    assert sheet.shape[1] > 3 * 192
    assert compare_sheet(face, np.repeat(face, 2, axis=1), [(face, face)]).dtype == np.uint8
