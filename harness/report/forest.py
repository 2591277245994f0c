"""Forest plots: changes with their intervals, one above the other, against zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.report.charts import Scale, drawing, symbol
from harness.report.markup import Markup, element
from harness.risk.intervals import Interval

_ROW = 58
_LABEL, _TEXT, _LINE = 12, 27, 42
_AXIS = 24
_GROUP = 20
_LONGEST = 38


class Whisker(NamedTuple):
    """A change: whose it is, its interval, what is written, and the style of its mark.

    ``group`` is a heading above it, for the first of a group.
    """

    label: str
    change: Interval
    text: str
    style: str
    group: str = ""


def forest(
    identity: str,
    title: str,
    description: str,
    rows: Sequence[Whisker],
    *,
    labels: Callable[[Scale], list[str]],
) -> Markup:
    """Changes as marks with their intervals as lines on one scale, which has zero on it."""
    values = [
        bound
        for row in rows
        for bound in (row.change.mean, row.change.low, row.change.high)
        if bound is not None
    ]
    scale = Scale(min([0.0, *values]), max([0.0, *values]))

    def across(value: float) -> str:
        return f"{100 * scale.share(value):.2f}%"

    tops, height = [], 0
    for row in rows:
        height += _GROUP if row.group else 0
        tops.append(height)
        height += _ROW
    parts: list[Markup] = []
    told = list(zip(scale.ticks, labels(scale), strict=True))
    for place, (tick, label) in enumerate(told):
        x = across(tick)
        style = "zero" if abs(tick) < scale.step / 1e6 else "grid"
        parts.append(element("line", x1=x, x2=x, y1=0, y2=height, class_=style))
        end = "start" if place == 0 else "end" if place == len(told) - 1 else "middle"
        hidden = " odd" if place % 2 and place != len(told) - 1 else ""
        parts.append(element("text", label, x=x, y=height + 18, class_=f"{end}{hidden}"))
    for top, row in zip(tops, rows, strict=True):
        if row.group:
            heading = _shortened(row.group)
            y = top - _GROUP + _LABEL
            parts.append(element("text", heading, x=0, y=y, class_="start strong"))
        weight = "start" if any(each.group for each in rows) else "start strong"
        parts.append(element("text", _shortened(row.label), x=0, y=top + _LABEL, class_=weight))
        parts.append(element("text", row.text, x=0, y=top + _TEXT, class_="start"))
        parts += _whisker(row, across, top + _LINE)
    drawn = drawing(identity, title, description, height + _AXIS, *parts, class_="bars")
    return element("div", drawn, class_="plot wide")


def _shortened(text: str) -> str:
    """A label that fits a narrow window; the mark's title has all of it."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}\u2026"


def _whisker(row: Whisker, across: Callable[[float], str], y: int) -> list[Markup]:
    parts = []
    low, high = row.change.low, row.change.high
    if low is not None and high is not None:
        ends = across(low), across(high)
        parts.append(element("line", x1=ends[0], x2=ends[1], y1=y, y2=y, class_="whisker"))
        parts += [element("line", x1=x, x2=x, y1=y - 5, y2=y + 5, class_="whisker") for x in ends]
    told = f"{row.label}: {row.text}"
    parts.append(symbol(row.style, 5, told, x=across(row.change.mean), y=y))
    return parts
