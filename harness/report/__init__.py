"""The report: one HTML page of a run directory, complete in itself, for people who did not run it.

>>> from harness.report import report
>>> report(Path("runs/black-thursday-7"))  # doctest: +SKIP
PosixPath('runs/black-thursday-7/report.html')

``data`` reads the tables, ``page`` lays the sections out, ``sentences`` puts the figures into
words, ``charts`` draws (hand-written SVG: a page of a few hundred kB without a dependency, where a
plotting library would bring tens of MB and less accessible output), ``markup`` escapes.
"""

from harness.report.command import report

__all__ = ["report"]
