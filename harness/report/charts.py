"""Charts as SVG that keeps its text size at every width.

Positions across are percentages, heights are pixels. What is drawn as a path sits in a nested SVG
that is stretched to the width while its strokes keep theirs. Every SVG has a title and is
described; every shade is told apart by a dash, a shape or a hatching too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from harness.report.figures import MINUS, MONTHS, SCALES, percent
from harness.report.markup import Markup, element, join

_ACROSS = 1000
"""Units of the stretched drawing."""
_MOST_POINTS = 1200
_MOST_MARKS = 100
_MOST_DIGITS = 12
_LANE = 22
_GAP = 12


class Scale:
    """A linear axis whose ends and ticks are round numbers.

    low, high: what must fit
    from_zero: begins at 0 where nothing is below
    whole: counts, so that no tick lies between whole numbers
    """

    def __init__(
        self, low: float, high: float, *, from_zero: bool = False, whole: bool = False
    ) -> None:
        if from_zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if high - low < max(abs(low), abs(high), 1e-12) * 1e-9:
            spread = abs(high) * 0.01 or 1.0
            high += spread
            low -= 0.0 if from_zero else spread
        self.step = _step((high - low) / 5, whole=whole)
        if whole:
            self.step = max(1.0, self.step)
        self.low = math.floor(low / self.step + 1e-9) * self.step
        self.high = math.ceil(high / self.step - 1e-9) * self.step

    @property
    def ticks(self) -> list[float]:
        """Where lines and labels go, both ends included."""
        number = round((self.high - self.low) / self.step)
        return [self.low + place * self.step for place in range(number + 1)]

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        return (value - self.low) / (self.high - self.low)


def _step(rough: float, *, whole: bool) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    for round_number in (1.0, 2.0, 5.0) if whole else (1.0, 2.0, 2.5, 5.0):
        if rough <= power * round_number * (1 + 1e-9):
            return power * round_number
    return power * 10


def places(step: float) -> int:
    """Decimal places that write every multiple of a step in full."""
    digits = 0
    while digits < _MOST_DIGITS and abs(step * 10**digits - round(step * 10**digits)) > 1e-6:
        digits += 1
    return digits


def money_labels(scale: Scale) -> list[str]:
    """Labels of an axis in USD, all in one unit."""
    largest = max(abs(scale.low), abs(scale.high))
    scales = (*((size, letter) for size, letter, _ in SCALES), (1e3, "k"))
    unit, letter = next(((s, name) for s, name in scales if largest >= s), (1.0, ""))
    digits = places(scale.step / unit)
    labels = []
    for tick in scale.ticks:
        text = f"{abs(tick) / unit:,.{digits}f}"
        zero = not float(text.replace(",", ""))
        labels.append("$0" if zero else f"{MINUS if tick < 0 else ''}${text}{letter}")
    return labels


def price_labels(scale: Scale) -> list[str]:
    """Labels of an axis of prices in USD."""
    digits = places(scale.step)
    return [f"${tick:,.{digits}f}" for tick in scale.ticks]


def percent_labels(scale: Scale) -> list[str]:
    """Labels of an axis in percent."""
    return [percent(tick, places(scale.step * 100)) for tick in scale.ticks]


def count_labels(scale: Scale) -> list[str]:
    """Labels of an axis of plain numbers."""
    digits = places(scale.step)
    labels = []
    for tick in scale.ticks:
        text = f"{abs(tick):,.{digits}f}"
        below = tick < 0 and float(text.replace(",", ""))
        labels.append(f"{MINUS}{text}" if below else text)
    return labels


# --- time across --------------------------------------------------------------------------------

_STEPS = (
    *(1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 21_600),
    *(43_200, 86_400, 2 * 86_400, 5 * 86_400, 10 * 86_400, 30 * 86_400, 90 * 86_400),
    *(365 * 86_400, 5 * 365 * 86_400, 50 * 365 * 86_400, 500 * 365 * 86_400),
)


class TimeAxis:
    """Time across, from the first to the last of these epoch seconds."""

    def __init__(self, times: Sequence[int]) -> None:
        self.times = times
        self.start = times[0]
        self.single = len(times) == 1
        self.span = max(1, times[-1] - times[0])

    def share(self, epoch: float) -> float:
        """0 at the start, 1 at the end."""
        return (epoch - self.start) / self.span

    def ticks(self) -> list[tuple[float, str]]:
        """At most ten (share, label)."""
        step = next((step for step in _STEPS if self.span / step <= 9), _STEPS[-1])
        first = -(-self.start // step) * step
        return [
            (self.share(epoch), _clock(epoch, step))
            for epoch in range(first, self.start + self.span + 1, step)
        ]


def _clock(epoch: int, step: int) -> str:
    when = datetime.fromtimestamp(epoch, UTC)
    if step >= 365 * 86_400:
        return str(when.year)
    if step >= 86_400 or (epoch % 86_400 == 0 and step >= 60):
        return f"{when.day} {MONTHS[when.month - 1]}"
    return f"{when:%H:%M}" if step >= 60 else f"{when:%H:%M:%S}"


class Line(NamedTuple):
    """A line over time: its name, a value for each time (None where there is none), its style."""

    name: str
    values: Sequence[float | None]
    style: str


class Area(NamedTuple):
    """An area over time, stacked on those before it."""

    name: str
    values: Sequence[float]
    style: str


class Mark(NamedTuple):
    """Something that happened at a time: how large it is drawn, and what it was."""

    epoch: int
    size: float
    text: str


class Lane(NamedTuple):
    """Marks of one kind in a strip of their own beneath the lines."""

    name: str
    style: str
    marks: Sequence[Mark]


@dataclass(frozen=True)
class TimeChart:
    """A chart over time.

    identity: unique in the page
    labels: writes the labels of the axis
    """

    identity: str
    title: str
    description: str
    axis: TimeAxis
    labels: Callable[[Scale], list[str]]
    lines: Sequence[Line] = ()
    areas: Sequence[Area] = ()
    lanes: Sequence[Lane] = ()
    height: int = 240
    from_zero: bool = False
    whole: bool = False

    def svg(self) -> Markup:
        """The chart, without its legend."""
        stacks = _stacked(self.areas)
        values = [value for line in self.lines for value in line.values if value is not None]
        values += [value for lower, upper in stacks for value in (*lower, *upper)]
        scale = Scale(
            min(values), max(values), from_zero=self.from_zero or bool(stacks), whole=self.whole
        )
        bottom = self.height + (_GAP + _LANE * len(self.lanes) if self.lanes else 0)
        parts: list[Markup | None] = [*self._grid(scale, bottom)]
        parts.append(self._drawing(scale, stacks))
        parts += [self._lane(place, lane) for place, lane in enumerate(self.lanes)]
        drawn = drawing(
            self.identity, self.title, self.description, bottom + 24, *parts, class_="over-time"
        )
        return element("div", drawn, class_="plot")

    def _grid(self, scale: Scale, bottom: int) -> Iterable[Markup]:
        for tick, label in zip(scale.ticks, self.labels(scale), strict=True):
            y = _px(self.height * (1 - scale.share(tick)))
            style = "zero" if abs(tick) < scale.step * 1e-6 else "grid"
            yield element("line", x1=0, x2="100%", y1=y, y2=y, class_=style)
            yield element("text", label, x=-8, y=y, dy="0.32em", class_="end")
        for place, (share, label) in enumerate(self.axis.ticks()):
            x = _percent(share)
            yield element("line", x1=x, x2=x, y1=bottom, y2=bottom + 5, class_="tick")
            anchor = "end" if share > 0.97 else "middle"
            other = " odd" if place % 2 else ""
            yield element("text", label, x=x, y=bottom + 18, class_=f"{anchor}{other}")

    def _drawing(self, scale: Scale, stacks: Sequence[tuple[list[float], list[float]]]) -> Markup:
        shapes: list[Markup] = []
        for area, (lower, upper) in zip(self.areas, stacks, strict=True):
            kept = _thinned(upper)
            if len(kept) < len(upper):
                kept = sorted({*kept, *_thinned(lower)})
            forth = self._points(scale, upper, kept)
            back = self._points(scale, lower, kept)[::-1]
            outline = f"M{' '.join(forth)} {' '.join(back)}Z"
            shapes.append(element("path", d=outline, class_=f"area {area.style}"))
        for line in self.lines:
            known = [math.nan if value is None else value for value in line.values]
            path = "".join(
                f"M{' '.join(self._points(scale, known, run))}" for run in _runs(line.values)
            )
            shapes.append(element("path", d=path, class_=f"line {line.style}"))
        return element(
            "svg",
            element("title", self.title),
            *shapes,
            viewBox=f"0 0 {_ACROSS} {self.height}",
            x=0,
            y=0,
            width="100%",
            height=self.height,
            overflow="visible",
            preserveAspectRatio="none",
        )

    def _points(self, scale: Scale, values: Sequence[float], places: Sequence[int]) -> list[str]:
        """Points of values at places; a single block goes flat from edge to edge."""
        heights = [_px(self.height * (1 - scale.share(values[place]))) for place in places]
        if self.axis.single:
            return [f"0,{heights[0]}", f"{_ACROSS},{heights[0]}"]
        times = [self.axis.times[place] for place in places]
        return [
            f"{_px(_ACROSS * self.axis.share(time))},{height}"
            for time, height in zip(times, heights, strict=True)
        ]

    def _lane(self, place: int, lane: Lane) -> Markup:
        y = self.height + _GAP + _LANE * place + _LANE / 2
        marks = [
            symbol(lane.style, mark.size, mark.text, x=_percent(self.axis.share(mark.epoch)), y=y)
            for mark in lane.marks
        ]
        return element(
            "g",
            element("line", x1=0, x2="100%", y1=y, y2=y, class_="lane"),
            element("text", lane.name, x=-8, y=y, dy="0.32em", class_="end"),
            *marks,
        )


def _runs(values: Sequence[float | None]) -> list[list[int]]:
    """Places of unbroken stretches of a line, thinned out."""
    runs: list[list[int]] = [[]]
    for place, value in enumerate(values):
        if value is not None:
            runs[-1].append(place)
        elif runs[-1]:
            runs.append([])
    found = []
    for run in runs:
        if run:
            kept = _thinned([values[place] or 0.0 for place in run])
            found.append([run[0] + place for place in kept])
    return found


def _thinned(values: Sequence[float]) -> list[int]:
    """Places of the lowest and highest value in each of some hundred stretches, and both ends, so
    that no spike is lost."""
    number = len(values)
    if number <= _MOST_POINTS:
        return list(range(number))
    kept = {0, number - 1}
    stretches = _MOST_POINTS // 2
    for stretch in range(stretches):
        places = range(stretch * number // stretches, (stretch + 1) * number // stretches)
        kept.add(min(places, key=values.__getitem__))
        kept.add(max(places, key=values.__getitem__))
    return sorted(kept)


def _stacked(areas: Sequence[Area]) -> list[tuple[list[float], list[float]]]:
    """Lower and upper edge of each area."""
    if not areas:
        return []
    stacks = []
    lower = [0.0] * len(areas[0].values)
    for area in areas:
        upper = [base + value for base, value in zip(lower, area.values, strict=True)]
        stacks.append((lower, upper))
        lower = upper
    return stacks


def binned(times: Sequence[int]) -> int:
    """How many blocks share a mark, so that marks do not pile up."""
    return max(1, -(-len(times) // _MOST_MARKS))


# --- symbols and legends --------------------------------------------------------------------------

_SHAPES = {
    "circle": "M-{0},0a{0},{0} 0 1 0 {1},0a{0},{0} 0 1 0 -{1},0Z",
    "square": "M-{0},-{0}h{1}v{1}h-{1}Z",
    "triangle": "M0,-{0}L{0},{0}H-{0}Z",
    "diamond": "M0,-{0}L{0},0L0,{0}L-{0},0Z",
    "cross": "M-{0},-{0}L{0},{0}M{0},-{0}L-{0},{0}",
}
WAVE_STYLES = tuple(f"wave-{place}" for place in range(len(_SHAPES)))
_SHAPE_OF = dict(zip(WAVE_STYLES, _SHAPES.values(), strict=True))


def symbol(style: str, size: float, text: str, *, x: str, y: float) -> Markup:
    """A wave's mark at a place; ``size`` is half its width in pixels."""
    shape = _SHAPE_OF[style].format(_px(size), _px(2 * size))
    drawn = element("path", d=shape, class_=f"mark {style}")
    return element("svg", element("title", text), drawn, x=x, y=_px(y), overflow="visible")


def legend(entries: Iterable[tuple[str, str, str]]) -> Markup:
    """Names of what is drawn, as (kind, style, name); kind is line, area, mark or node."""
    items = []
    for kind, style, name in entries:
        if kind == "mark":
            shape = element("path", d=_SHAPE_OF[style].format("5", "10"), class_=f"mark {style}")
        elif kind == "node":
            shape = element("circle", r=5, class_=f"node {style}")
        elif kind == "area":
            shape = element("path", d="M-12,-5h24v10h-24Z", class_=f"area {style}")
        else:
            shape = element("path", d="M-12,0h24", class_=f"line {style}")
        drawn = element(
            "svg",
            element("title", f"Key: {name}"),
            shape,
            viewBox="-13 -8 26 16",
            width=26,
            height=16,
            aria_hidden="true",
        )
        items.append(element("li", drawn, element("span", name)))
    return element("ul", *items, class_="legend")


# --- bars ---------------------------------------------------------------------------------------


class Bar(NamedTuple):
    """A bar: its value, what is written beside it, its style."""

    value: float
    text: str
    style: str


def bar_chart(
    identity: str,
    title: str,
    description: str,
    rows: Sequence[tuple[str, Sequence[Bar]]],
    *,
    labels_beside: bool = False,
) -> Markup:
    """Bars from the left. A label stands above its bars, or beside them where all are short."""
    largest = max((bar.value for _, bars in rows for bar in bars), default=0.0) or 1.0
    thick = 14 if all(len(bars) == 1 for _, bars in rows) else 11
    parts: list[Markup] = []
    y = 0
    for label, bars in rows:
        if labels_beside:
            middle = y + len(bars) * (thick + 3) / 2 - 1.5
            parts.append(element("text", label, x=-8, y=_px(middle), dy="0.32em", class_="end"))
        else:
            parts.append(element("text", label, x=0, y=y + 12, class_="start strong"))
            y += 18
        for bar in bars:
            width = 76 * bar.value / largest
            text = element("text", bar.text, x=f"{width:.2f}%", dx=6, y=y + thick / 2, dy="0.34em")
            if bar.value > 0:
                seen = f"{max(width, 0.4):.2f}%"
                shape = element(
                    "rect", x=0, y=y, width=seen, height=thick, class_=f"area {bar.style}"
                )
                parts.append(shape)
            parts.append(text)
            y += thick + 3
        y += 8
    drawn = drawing(identity, title, description, max(y - 8, 1), *parts, class_="bars")
    return element("div", drawn, class_="plot" if labels_beside else "plot wide")


def definitions() -> Markup:
    """Hatchings that every chart of the page refers to; lines along, so that stretching a drawing
    leaves them as they are."""
    hatched = join(
        element(
            "pattern",
            element("rect", width=6, height=6, class_=f"hatch-ground {name}"),
            element("path", d="M0,1.5H6M0,4.5H6", class_=f"hatch-lines {name}"),
            id=f"hatch-{name}",
            width=6,
            height=6,
            patternUnits="userSpaceOnUse",
        )
        for name in ("a", "b")
    )
    content = (element("title", "Hatchings that the charts use"), element("defs", hatched))
    return element(
        "svg", *content, width=0, height=0, aria_hidden="true", focusable="false", class_="off"
    )


def drawing(
    identity: str, title: str, description: str, height: float, *parts: Markup | None, class_: str
) -> Markup:
    """An SVG as wide as its place, with its title and description for those who do not see it."""
    return element(
        "svg",
        element("title", title, id=f"{identity}-title"),
        element("desc", description, id=f"{identity}-desc"),
        *parts,
        id=identity,
        class_=class_,
        role="img",
        aria_labelledby=f"{identity}-title {identity}-desc",
        width="100%",
        height=_px(height),
        overflow="visible",
    )


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"
