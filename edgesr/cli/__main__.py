"""``python -m edgesr.cli``: the ``edgesr`` script where it is not on the path."""

from edgesr.cli.main import main

main()
