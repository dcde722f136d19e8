"""The web booth as a bundle: its networks, its folder and what is checked of it."""
