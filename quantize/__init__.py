"""Quantization: recipe, PTQ, QAT and the accuracy report (to come)."""
