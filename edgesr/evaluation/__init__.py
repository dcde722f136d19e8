"""How good a network is: methods side by side, metrics, verification, the report."""
