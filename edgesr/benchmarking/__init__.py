"""How fast a network is, each in a process of its own."""
