"""Charts of an audit: maps of values told by shade and by figure, and points on two scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.report.charts import WAVE_STYLES, Scale, drawing, symbol
from harness.report.markup import Content, Markup, element, join

_SHADES = (0.0, 1.0, 2.0, 5.0, 10.0)
"""Multiples of the limit from which a cell takes the next shade."""


class Cell(NamedTuple):
    """A cell of a map: its value as a multiple of the limit, None where there is none."""

    multiple: float | None
    text: Content
    strong: bool = False


def heat_map(
    identity: str,
    caption: Content,
    head: Sequence[Content],
    rows: Sequence[tuple[Content, Sequence[Cell]]],
) -> Markup:
    """A table whose cells are shaded by how far they are from the limit; figures say it too."""
    width = max(len(cells) for _, cells in rows)
    titles = [element("th", title, scope="col") for title in head]
    titles += [element("td", "") for _ in range(width + 1 - len(head))]

    def cell(each: Cell) -> Markup:
        shade = "none" if each.multiple is None else str(_shade(each.multiple))
        text: Content = element("strong", each.text) if each.strong else each.text
        return element("td", text, class_=f"n heat heat-{shade}")

    body = [
        element(
            "tr",
            element("th", label, scope="row"),
            *(cell(each) for each in cells),
            *(element("td", "") for _ in range(width - len(cells))),
        )
        for label, cells in rows
    ]
    drawn = element(
        "table",
        element("caption", element("span", caption), id=f"{identity}-caption"),
        element("thead", element("tr", *titles)),
        element("tbody", join(body, "\n")),
        id=identity,
        class_="map",
    )
    return element(
        "div",
        drawn,
        class_="scroll",
        role="region",
        tabindex=0,
        aria_labelledby=f"{identity}-caption",
    )


def _shade(multiple: float) -> int:
    return sum(multiple > step for step in _SHADES)


class Dot(NamedTuple):
    """A point: where it lies, which series it is of, and what it is."""

    across: float
    up: float
    series: int
    text: str


def scatter(
    identity: str,
    title: str,
    description: str,
    dots: Sequence[Dot],
    *,
    across: Callable[[Scale], list[str]],
    up: Callable[[Scale], list[str]],
    limit: float,
    limit_text: str,
    height: int = 240,
) -> Markup:
    """Points on two linear scales, and the limit as a line across."""
    xs = Scale(min(d.across for d in dots), max(d.across for d in dots))
    ys = Scale(0.0, max(limit, *(d.up for d in dots)), from_zero=True)
    parts: list[Markup] = []
    for tick, label in zip(ys.ticks, up(ys), strict=True):
        y = f"{height * (1 - ys.share(tick)):.1f}"
        parts.append(element("line", x1=0, x2="100%", y1=y, y2=y, class_="grid"))
        parts.append(element("text", label, x=-8, y=y, dy="0.32em", class_="end"))
    told = list(zip(xs.ticks, across(xs), strict=True))
    for place, (tick, label) in enumerate(told):
        x = f"{100 * xs.share(tick):.2f}%"
        parts.append(element("line", x1=x, x2=x, y1=height, y2=height + 5, class_="tick"))
        last = place == len(told) - 1
        anchor, other = "end" if last else "middle", " odd" if place % 2 and not last else ""
        parts.append(element("text", label, x=x, y=height + 18, class_=f"{anchor}{other}"))
    at = f"{height * (1 - ys.share(limit)):.1f}"
    parts.append(element("line", x1=0, x2="100%", y1=at, y2=at, class_="limit"))
    parts.append(element("text", limit_text, x="100%", y=at, dy="-0.4em", class_="end strong"))
    parts += [
        symbol(
            WAVE_STYLES[dot.series % len(WAVE_STYLES)],
            5,
            dot.text,
            x=f"{100 * xs.share(dot.across):.2f}%",
            y=height * (1 - ys.share(dot.up)),
        )
        for dot in dots
    ]
    drawn = drawing(identity, title, description, height + 24, *parts, class_="over-time")
    return element("div", drawn, class_="plot")
