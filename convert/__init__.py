"""Conversion: one file a target, parity gate, manifest."""
