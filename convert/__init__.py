"""Conversion: lowerings, one file a target, parity gate."""
