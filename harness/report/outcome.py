"""Sections on what came of it: the story, prices, waves, insolvency."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.charts import (
    WAVE_STYLES,
    Area,
    Bar,
    Lane,
    Line,
    Mark,
    TimeAxis,
    TimeChart,
    bar_chart,
    binned,
    legend,
    money_labels,
    percent_labels,
    price_labels,
)
from harness.report.data import Liquidation, Run
from harness.report.figures import (
    about,
    count,
    duration,
    moment,
    money,
    percent,
    plural,
    price,
    ratio,
    short,
)
from harness.report.layout import Section, chart_figure, indented, key_figures, over_time
from harness.report.markup import Content, Markup, bullets, details, element, join, table
from harness.report.sentences import carriers, figure_of, main_asset, three_sentences

_MOST_LANES = 5
_MOST_WAVES = 12
_MOST_ACCOUNTS = 50
_NOTHING_MOVED = 1e-9


def story(run: Run) -> Section:
    """What happened, the headline figures, and what did not hold."""
    sentences = element(
        "ol", *(element("li", text) for text in three_sentences(run)), class_="story"
    )
    return Section(
        "story", "What happened", join([_alarm(run), sentences, _tiles(run), _compared(run)])
    )


def _alarm(run: Run) -> Markup | None:
    """What makes the run worthless or unwise: failed checks and the scenario's warnings."""
    checks = run.summary["checks"]
    broken = [name for name, holds in checks["invariants"].items() if not holds]
    warnings: Sequence[str] = run.summary["warnings"]
    if not warnings and not broken and not checks["vacuous"]:
        return None
    failed = "Check failed" if broken or checks["vacuous"] else "Warning"
    texts = warnings or [f"{name} does not hold" for name in broken]
    return element(
        "div",
        *(element("p", element("strong", f"{failed}: "), text) for text in texts),
        class_="alarm",
        role="note",
    )


def _tiles(run: Run) -> Markup:
    twin = run.total[1].insolvency[-1]
    repaid = sum(row.repaid for row in run.twin_liquidations)
    lost = run.summary["solvency"]["insolvency_usd"]
    here = run.summary["liquidations"]["repaid_usd"]
    tiles = (
        (
            "Insolvency at the end",
            figure_of(run, "solvency.insolvency_usd", short(lost)),
            f"{short(twin)} without feedback",
        ),
        (
            "Liquidations",
            figure_of(run, "liquidations.count"),
            f"{count(len(run.twin_liquidations))} without feedback",
        ),
        (
            _they_repaid(run),
            figure_of(run, "liquidations.repaid_usd", short(here)),
            f"{short(repaid)} without feedback",
        ),
        (
            "Margin calls",
            figure_of(run, "margin_calls.count"),
            join([figure_of(run, "margin_calls.ignored"), " ignored"]),
        ),
    )
    return key_figures(tiles)


def _they_repaid(run: Run) -> str:
    """What liquidations settle: debt, and on an exchange notional."""
    return "Debt repaid, notional closed" if run.exchanges else "Debt they repaid"


def _repaid(run: Run) -> str:
    return "Repaid or closed" if run.exchanges else "Debt repaid"


def _compared(run: Run) -> Markup:
    """With and without feedback, side by side."""
    rows: list[Sequence[Content]] = []
    for symbol, path in run.summary["prices"].items():
        with_feedback = [
            figure_of(run, f"prices.{symbol}.{name}", price(path[name])) for name in ("low", "high")
        ]
        without = [
            figure_of(run, f"prices.{symbol}.exogenous_{name}", price(path[f"exogenous_{name}"]))
            for name in ("low", "high")
        ]
        for name, one, other in zip(("lowest", "highest"), with_feedback, without, strict=True):
            rows.append((f"{symbol}, {name} outside price", one, other))
    _, twin = run.total
    repaid = sum(row.repaid for row in run.twin_liquidations)
    seized = sum(row.seized for row in run.twin_liquidations)

    def usd(label: Content, path: str, without: float) -> tuple[Content, ...]:
        value = run.summary["solvency" if path in run.summary["solvency"] else "liquidations"][path]
        place = "solvency" if path in run.summary["solvency"] else "liquidations"
        return label, figure_of(run, f"{place}.{path}", money(value)), money(without)

    rows += [
        (
            "Liquidations",
            figure_of(run, "liquidations.count"),
            count(len(run.twin_liquidations)),
        ),
        usd(_they_repaid(run), "repaid_usd", repaid),
        usd("Collateral they seized", "seized_usd", seized),
        usd("Insolvency at the end", "insolvency_usd", twin.insolvency[-1]),
        usd(indented("bad debt, written off"), "bad_debt_usd", twin.bad_debt[-1]),
        usd(indented("market shortfall"), "shortfall_market_usd", twin.shortfall[-1]),
    ]
    note = element(
        "p",
        "Feedback is what forced sales do to prices. Without it the same run is repeated from the "
        "same state and seed, and every forced sale is filled at the price of the moment and "
        "moves none.",
        class_="note",
    )
    head = ("", "With feedback", "Without")
    return join([table("compared", "The run and its twin without feedback", head, rows), note])


# --- prices -------------------------------------------------------------------------------------


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
            told.append(f"{line.name.lower()} by at most {most} ({moment(run.times[place])})")
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


# --- waves --------------------------------------------------------------------------------------


def waves(run: Run) -> Section:
    """Which liquidations caused which."""
    title = "Liquidations in waves"
    if not run.liquidations:
        twin = len(run.twin_liquidations)
        text = "Nothing was liquidated" + (
            f"; without feedback there are {plural(twin, 'liquidation')}." if twin else "."
        )
        return Section("waves", title, join([element("p", text), _only_in_one(run)]))
    explained = element(
        "p",
        "Wave 0 would be liquidated at prices that no forced sale has moved. Each later wave fell "
        "below the line only because of forced sales of the wave before.",
    )
    parts = [explained, _wave_charts(run), _wave_table(run), _ratios(run), _only_in_one(run)]
    if len(run.venues) > 1:
        parts.append(_by_venue(run))
    return Section("waves", title, join(parts))


def _wave_charts(run: Run) -> Markup:
    entries = run.summary["cascade"]["waves"]
    shown = entries if len(entries) <= _MOST_WAVES else entries[: _MOST_WAVES - 1]
    later = entries[len(shown) :]
    rows = [(f"wave {entry['wave']}", entry["count"], entry["repaid_usd"]) for entry in shown]
    if later:
        number = sum(entry["count"] for entry in later)
        repaid = sum(entry["repaid_usd"] for entry in later)
        rows.append((f"wave {later[0]['wave']}+", number, repaid))
    by_count = bar_chart(
        "waves-count",
        "Liquidations by wave",
        "; ".join(f"{name}: {plural(number, 'liquidation')}" for name, number, _ in rows),
        [(name, [Bar(number, count(number), "a")]) for name, number, _ in rows],
        labels_beside=True,
    )
    by_value = bar_chart(
        "waves-value",
        f"{_repaid(run)} by wave",
        "; ".join(f"{name}: {about(repaid)}" for name, _, repaid in rows),
        [(name, [Bar(repaid, short(repaid), "a")]) for name, _, repaid in rows],
        labels_beside=True,
    )
    return element(
        "div",
        chart_figure("Number of liquidations", None, None, by_count),
        chart_figure(f"{_repaid(run)}, USD", None, None, by_value),
        class_="pair",
    )


def _wave_table(run: Run) -> Markup:
    summary = run.summary
    total = summary["liquidations"]["repaid_usd"]
    rows = []
    for entry in summary["cascade"]["waves"]:
        of_wave = [row for row in run.liquidations if row.wave == entry["wave"]]
        rows.append(
            (
                f"Wave {entry['wave']}",
                count(entry["count"]),
                count(len({(row.venue, row.account) for row in of_wave})),
                money(entry["repaid_usd"]),
                percent(entry["repaid_usd"] / total) if total else "\u2013",
                ", ".join(sorted({_CAUSES.get(row.cause, row.cause) for row in of_wave})),
            )
        )
    accounts = len({(row.venue, row.account) for row in run.liquidations})
    foot = (
        "All",
        figure_of(run, "liquidations.count"),
        count(accounts),
        figure_of(run, "liquidations.repaid_usd", money(total)),
        percent(1.0) if total else "\u2013",
        "",
    )
    head = (
        "Wave",
        "Liquidations",
        "Accounts",
        _repaid(run),
        "Share of it" if run.exchanges else "Share of debt",
        "Caused by",
    )
    return table(
        "waves-table",
        "Liquidations by wave",
        head,
        rows,
        text_columns=(0, 5),
        foot=foot,
    )


_CAUSES = {
    "exogenous": "outside prices",
    "price": "earlier forced sales",
    "repeat": "the account's own liquidation",
    "other": "neither prices nor sales, such as interest",
}


_RATIOS = (
    ("Amplification", "amplification", "debt repaid with feedback / without"),
    ("Endogenous share", "endogenous_share", "1 \u2212 1 / amplification"),
    ("Branching ratio", "branching_ratio", "wave 1 / wave 0, by value"),
)


def _ratios(run: Run) -> Markup:
    cascade = run.summary["cascade"]
    undefined = "\u2013 undefined: what it is divided by is nothing"
    pairs: list[Markup] = []
    for name, key, meaning in _RATIOS:
        value = cascade[key]
        if value is None:
            told = element("dd", undefined)
        else:
            told = element(
                "dd", figure_of(run, f"cascade.{key}", ratio(value)), f" \u00b7 {meaning}"
            )
        pairs += [element("dt", name), told]
    notes: list[Content] = []
    if cascade["amplification"] is not None and cascade["amplification"] < 1:
        notes.append(
            element(
                "p",
                "An amplification below 1 means that less was repaid with feedback than without, "
                "as where lower prices leave liquidators no profit, or debt is written off "
                "instead.",
                class_="note",
            )
        )
    return join([element("dl", *pairs, class_="pairs"), *notes])


def _only_in_one(run: Run) -> Markup | None:
    """Accounts that feedback brought down, spared, or brought down sooner or later."""
    groups: dict[str, list[tuple[float, str]]] = {
        "Only with feedback": [],
        "Only without": [],
        "Earlier with feedback": [],
        "Later with feedback": [],
        "In the same block": [],
    }
    for position in run.positions:
        here, there = position.liquidated, position.twin_liquidated
        if here is None and there is None:
            continue
        if there is None:
            kind = "Only with feedback"
        elif here is None:
            kind = "Only without"
        elif here == there:
            kind = "In the same block"
        else:
            kind = "Earlier with feedback" if here < there else "Later with feedback"
        groups[kind].append((position.debt_before, position.name))
    if not any(groups.values()):
        return None
    rows = [
        (kind, count(len(found)), money(sum(debt for debt, _ in found)))
        for kind, found in groups.items()
    ]
    caption = "Accounts by when they are first liquidated, with feedback and without"
    shown = table(
        "only-in-one", caption, ("First liquidated", "Accounts", "Debt at the start"), rows
    )
    named = [
        details(
            f"{kind}: {plural(len(groups[kind]), 'account')}",
            bullets(_largest(groups[kind]), ""),
        )
        for kind in ("Only with feedback", "Only without")
        if groups[kind]
    ]
    return join([shown, *named])


def _largest(found: Sequence[tuple[float, str]]) -> list[str]:
    ordered = sorted(found, key=lambda entry: (-entry[0], entry[1]))
    named = [f"{name}, {money(debt)}" for debt, name in ordered[:_MOST_ACCOUNTS]]
    rest = len(ordered) - len(named)
    return named + ([f"and {plural(rest, 'smaller one')}"] if rest else [])


def _by_venue(run: Run) -> Markup:
    rows = [
        (
            name,
            figure_of(run, f"liquidations.by_venue.{name}.count"),
            figure_of(run, f"liquidations.by_venue.{name}.repaid_usd", money(venue["repaid_usd"])),
            figure_of(run, f"liquidations.by_venue.{name}.seized_usd", money(venue["seized_usd"])),
        )
        for name, venue in run.summary["liquidations"]["by_venue"].items()
    ]
    head = ("Venue", "Liquidations", _repaid(run), "Collateral seized")
    return table("liquidations-by-venue", "Liquidations by venue", head, rows)


# --- insolvency ---------------------------------------------------------------------------------


def insolvency(run: Run) -> Section:
    """How much was lost, when, and who carried it."""
    here, twin = run.total
    explained = element(
        "p",
        "Insolvency is bad debt, which the market wrote off, plus market shortfall, which is debt "
        "above the worth of its collateral at outside prices and not written off.",
    )
    if not any(here.insolvency) and not any(twin.insolvency):
        text = "There was none in any block, with feedback or without."
        return Section(
            "insolvency", "Insolvency and who carries it", join([explained, element("p", text)])
        )
    axis = TimeAxis(run.times)
    peak = max(range(len(run.times)), key=here.insolvency.__getitem__)
    told = (
        f"With feedback insolvency ends at {about(here.insolvency[-1])}, its highest is "
        f"{about(here.insolvency[peak])} ({moment(run.times[peak])}); without feedback it ends at "
        f"{about(twin.insolvency[-1])}, its highest is {about(max(twin.insolvency))}."
    )
    areas = [Area("Bad debt", here.bad_debt, "a"), Area("Market shortfall", here.shortfall, "b")]
    chart = TimeChart(
        "insolvency-chart",
        "Insolvency over time",
        told,
        axis,
        money_labels,
        areas=areas,
        lines=[Line("Without feedback", twin.insolvency, "twin")],
        height=240,
    )
    entries = [
        ("area", "a", "Bad debt, with feedback"),
        ("area", "b", "Market shortfall, on top of it"),
        ("line", "twin", "Both together, without feedback"),
    ]
    columns = [
        ("Bad debt", [money(value) for value in here.bad_debt]),
        ("Market shortfall", [money(value) for value in here.shortfall]),
        ("Together", [money(value) for value in here.insolvency]),
        ("Together, without feedback", [money(value) for value in twin.insolvency]),
    ]
    parts = [
        explained,
        chart_figure(
            "Insolvency, USD",
            told,
            legend(entries),
            chart.svg(),
            over_time(run, "insolvency-table", "Insolvency in USD", columns),
        ),
        _carried(run, axis),
        _solvency_by_venue(run),
    ]
    return Section("insolvency", "Insolvency and who carries it", join(parts))


def _carried(run: Run, axis: TimeAxis) -> Markup:
    heading = element("h3", "Who carries what was written off")
    reserves, suppliers = run.carried
    if not any(reserves) and not any(suppliers):
        text = "No debt was written off with feedback, so that nobody carries any."
        return join([heading, element("p", text)])
    shares = carriers(run)
    written = run.summary["solvency"]["bad_debt_usd"]
    told = f"{money(written)} were written off at the prices of the moment. At the last prices "
    told += ", ".join(f"{name} {money(usd)}" for name, usd in shares) + "."
    chart = TimeChart(
        "carried-chart",
        "Who carries the deficit, over time",
        told,
        axis,
        money_labels,
        areas=[Area("Reserves", reserves, "b"), Area("Suppliers", suppliers, "a")],
        height=170,
    )
    entries = [("area", "b", "Covered by reserves"), ("area", "a", "Borne by suppliers")]
    columns = [
        ("Covered by reserves", [money(value) for value in reserves]),
        ("Borne by suppliers", [money(value) for value in suppliers]),
    ]
    return join(
        [
            heading,
            chart_figure(
                "Deficit at the prices of the moment, USD",
                told,
                legend(entries),
                chart.svg(),
                over_time(run, "carried-table", "Deficit in USD by who carries it", columns),
            ),
        ]
    )


def _solvency_by_venue(run: Run) -> Markup:
    rows = []
    for name in run.summary["solvency"]["by_venue"]:
        place = f"solvency.by_venue.{name}"
        venue = run.summary["solvency"]["by_venue"][name]

        def usd(key: str, venue: dict[str, float] = venue, place: str = place) -> Content:
            if key not in venue:
                return "\u2013"
            return figure_of(run, f"{place}.{key}", money(venue[key]))

        rows.append((name, *(usd(key) for key, _ in _SOLVENCY)))
    head = ("Venue", *(title for _, title in _SOLVENCY))
    return table("solvency", "The end, by venue, USD", head, rows)


_SOLVENCY = (
    ("insolvency_usd", "Insolvency"),
    ("bad_debt_usd", "Bad debt"),
    ("shortfall_market_usd", "Market shortfall"),
    ("shortfall_liquidation_usd", "Short of a liquidation"),
    ("shortfall_oracle_usd", "Short at feed prices"),
    ("carried_by_reserves_usd", "Covered by reserves"),
    ("carried_by_suppliers_usd", "Borne by suppliers"),
    ("carried_by_insurance_usd", "Paid by insurance"),
    ("carried_by_vault_usd", "Paid by the vault"),
)
