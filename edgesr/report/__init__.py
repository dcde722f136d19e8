"""The quantization accuracy report, in the order in which it is made.

``subject`` says what is measured on which faces, ``measure`` runs one network on them, ``rows`` sets its figures
against the float network's, ``verdict`` concludes, ``layers`` and ``worst`` say where losses come from. ``build`` puts
all of it into a ``report.Report``; ``page`` and ``charts`` draw that. ``write`` (``edgesr.write_report``) does it all,
with ``bundles`` that are there or are converted for it.
"""
