"""Conversion: a package a target, the parity gate, the manifest."""
