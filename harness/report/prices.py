"""Each asset's prices, with feedback and without, and what forced trades did to them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.charts import (
    WAVE_STYLES,
    Lane,
    Line,
    Mark,
    TimeAxis,
    TimeChart,
    binned,
    legend,
    percent_labels,
    price_labels,
)
from harness.report.data import Liquidation, Run
from harness.report.figures import about, duration, moment, percent, plural, price
from harness.report.layout import Section, chart_figure, over_time
from harness.report.markup import Content, Markup, element, join
from harness.report.sentences import main_asset

_MOST_LANES = 5
_NOTHING_MOVED = 1e-9
_TOLD = 5e-5
"""What rounds to a hundredth of a percent or more."""


def prices(run: Run) -> Section:
    """Each asset's paths, and what forced trades did to it."""
    ordered = sorted(run.prices, key=lambda symbol: symbol != main_asset(run))
    axis = TimeAxis(run.times)
    each = duration(run.scenario.clock.seconds_per_block).removeprefix("1 ")
    parts: list[Content] = [
        element(
            "p",
            f"{plural(len(run.times), 'block')}, one every "
            f"{each}, from {moment(run.times[0])} to "
            f"{moment(run.times[-1])}. Prices are in USD, as they stand at the end of each block.",
        )
    ]
    for symbol in ordered:
        parts.append(element("h3", symbol))
        parts += [_paths(run, symbol, axis), _gap(run, symbol, axis)]
    return Section("prices", "Prices", join(parts))


def _paths(run: Run, symbol: str, axis: TimeAxis) -> Markup:
    paths = run.prices[symbol]
    figures = run.summary["prices"][symbol]
    lines = [Line("Path given by the scenario", paths.path, "path")]
    lines.append(Line("Outside price without feedback", paths.twin_outside, "twin"))
    if any(value is not None for value in paths.feed):
        lines.append(Line("Feed, with feedback", paths.feed, "feed"))
    lines.append(Line("Outside price, with feedback", paths.outside, "run"))
    lanes = _lanes(run, symbol)
    touched = sum(symbol in (row.collateral, row.debt) for row in run.liquidations)
    told = (
        f"The outside price starts at {price(figures['start'])}, has its low at "
        f"{price(figures['low'])} and its high at {price(figures['high'])}, and ends at "
        f"{price(figures['end'])}. Without feedback its low is {price(figures['exogenous_low'])} "
        f"and its high {price(figures['exogenous_high'])}."
    )
    marks = (
        f" Beneath the lines, {plural(touched, 'liquidation')} that took or repaid {symbol}, one "
        "row for each wave."
        if lanes
        else " No liquidation took or repaid it."
    )
    chart = TimeChart(
        f"price-{symbol}",
        f"{symbol}: prices with and without feedback",
        told + marks,
        axis,
        price_labels,
        lines=lines,
        lanes=lanes,
        height=260,
    )
    entries = [("line", line.style, line.name) for line in reversed(lines)]
    entries += [("mark", lane.style, f"Liquidations of {lane.name}") for lane in lanes]
    note = told
    if lanes:
        shared = binned(run.times)
        each = "block" if shared == 1 else f"{shared} blocks"
        note += (
            f" Marks are liquidations that took or repaid {symbol}, one for each {each} with any; "
            "the area grows with the debt repaid."
        )
    columns = [(line.name, [_price_or_dash(value) for value in line.values]) for line in lines]
    return chart_figure(
        "With feedback and without, USD",
        note,
        legend(entries),
        chart.svg(),
        over_time(run, f"price-{symbol}-table", f"{symbol} in USD", columns),
    )


def _price_or_dash(value: float | None) -> str:
    return "\u2013" if value is None else price(value)


def _lanes(run: Run, symbol: str) -> list[Lane]:
    """A lane for each wave; the last one holds all later waves."""
    rows = [row for row in run.liquidations if symbol in (row.collateral, row.debt)]
    if not rows:
        return []
    shared = binned(run.times)
    groups: dict[int, dict[int, list[Liquidation]]] = {}
    for row in rows:
        lane = min(max(row.wave, 0), _MOST_LANES - 1)
        groups.setdefault(lane, {}).setdefault(row.block // shared, []).append(row)
    largest = max(
        sum(row.repaid for row in rows) for lane in groups.values() for rows in lane.values()
    )
    latest = max(row.wave for row in rows)
    lanes = []
    for lane in sorted(groups):
        marks = []
        for place, found in sorted(groups[lane].items()):
            repaid = sum(row.repaid for row in found)
            middle = min(place * shared + (shared - 1) / 2, len(run.times) - 1)
            at = run.times[int(middle)]
            size = 2.4 + 5.6 * (repaid / largest) ** 0.5 if largest else 2.4
            told = f"{plural(len(found), 'liquidation')} repaying {about(repaid)}, {moment(at)}"
            marks.append(Mark(at, size, told))
        later = lane == _MOST_LANES - 1 and latest > lane
        name = f"wave {lane}+" if later else f"wave {lane}"
        lanes.append(Lane(name, WAVE_STYLES[lane], marks))
    return lanes


def _gap(run: Run, symbol: str, axis: TimeAxis) -> Markup:
    """How far the price with feedback is from the one without."""
    paths = run.prices[symbol]
    lines = [Line("Outside price", _gaps(paths.outside, paths.twin_outside), "run")]
    if any(value is not None for value in paths.feed):
        lines.insert(0, Line("Feed", _gaps(paths.feed, paths.twin_feed), "feed"))
    told = []
    for line in reversed(lines):
        known = [(abs(gap), place) for place, gap in enumerate(line.values) if gap is not None]
        deepest, place = max(known, default=(0.0, 0))
        if deepest > _NOTHING_MOVED:
            most = percent(line.values[place] or 0.0, 2, signed=True)
            at = moment(run.times[place])
            by = f"at most {most} ({at})" if deepest >= _TOLD else "less than 0.01%"
            told.append(f"{line.name.lower()} by {by}")
    if not told:
        return element("p", f"Forced trades did not move the price of {symbol}.")
    note = f"Forced trades moved the {' and the '.join(told)}."
    chart = TimeChart(
        f"gap-{symbol}",
        f"{symbol}: prices with feedback against those without",
        note,
        axis,
        percent_labels,
        lines=lines,
        height=130,
        from_zero=True,
    )
    columns = [
        (line.name, [_percent_or_dash(value) for value in line.values]) for line in reversed(lines)
    ]
    caption = f"{symbol}: difference of prices with feedback from those without"
    return chart_figure(
        "What feedback adds, in percent",
        note,
        legend(("line", line.style, line.name) for line in reversed(lines)),
        chart.svg(),
        over_time(run, f"gap-{symbol}-table", caption, columns),
    )


def _gaps(here: Sequence[float | None], twin: Sequence[float | None]) -> list[float | None]:
    return [a / b - 1 if a and b else None for a, b in zip(here, twin, strict=True)]


def _percent_or_dash(value: float | None) -> str:
    return "\u2013" if value is None else percent(value, 2, signed=True)
