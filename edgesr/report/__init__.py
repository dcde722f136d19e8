"""The quantization accuracy report: what precisions cost on every target, and why."""
