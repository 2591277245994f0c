"""What sections are made of: a heading with content, a chart with its caption and its table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.report.data import Run
from harness.report.figures import count, moment
from harness.report.markup import Content, Markup, details, element, table

_MOST_ROWS = 41
"""Rows of a chart's table: a line may have thousands of points."""


class Section(NamedTuple):
    """A part of the page: ``identity`` is its anchor."""

    identity: str
    title: str
    content: Markup


def key_figures(tiles: Iterable[tuple[Content, Content, Content]]) -> Markup:
    """Figures in large type: what each is, the figure, and what stands beside it."""
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", name),
                element("dd", main, class_="main"),
                element("dd", beside, class_="beside"),
            )
            for name, main, beside in tiles
        ),
        class_="tiles",
    )


def indented(text: str) -> Markup:
    """The label of a row that is a part of the row above it."""
    return element("span", text, class_="indent")


def chart_figure(
    title: str,
    note: Content,
    legend: Markup | None,
    chart: Markup,
    alternative: Markup | None = None,
) -> Markup:
    """A chart with its caption above and, on demand, its figures beneath."""
    caption = element(
        "figcaption",
        element("strong", title),
        element("span", note, class_="note") if note else None,
    )
    return element("figure", caption, legend, chart, alternative)


def over_time(
    run: Run, identity: str, caption: str, columns: Sequence[tuple[str, Sequence[str]]]
) -> Markup:
    """The figures of a chart over time at evenly spaced blocks, to open on demand."""
    places = sampled(len(run.times))
    every = (
        "" if len(places) == len(run.times) else f", at {len(places)} of {len(run.times)} blocks"
    )
    rows = [
        (moment(run.times[place]), count(place), *(values[place] for _, values in columns))
        for place in places
    ]
    head = ("Time", "Block", *(name for name, _ in columns))
    return details("The figures as a table", table(identity, f"{caption}{every}", head, rows))


def sampled(number: int) -> list[int]:
    """Evenly spaced places, both ends included."""
    if number <= _MOST_ROWS:
        return list(range(number))
    return [place * (number - 1) // (_MOST_ROWS - 1) for place in range(_MOST_ROWS)]
