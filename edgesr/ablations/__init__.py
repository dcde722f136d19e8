"""Ablations: small configuration files, trained for equal minutes each and put beside the papers' tables."""
