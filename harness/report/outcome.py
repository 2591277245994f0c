"""What came of a run: what happened in short, and how much was lost and who carried it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.charts import Area, Line, TimeAxis, TimeChart, legend, money_labels
from harness.report.data import Run
from harness.report.figures import about, count, moment, money, price, short
from harness.report.layout import Section, chart_figure, indented, key_figures, over_time
from harness.report.markup import Content, Markup, element, join, table
from harness.report.sentences import carriers, figure_of, three_sentences
from harness.scenario import IsolatedLending


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
    starts = (*(["vacuous"] if checks["vacuous"] else []), *broken)
    told = [("Check failed" if text.startswith(starts) else "Warning", text) for text in warnings]
    if not warnings:
        told = [("Check failed", f"{name} does not hold") for name in broken]
    return element(
        "div",
        *(element("p", element("strong", f"{what}: "), text) for what, text in told),
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
    written = run.summary["solvency"]["bad_debt_usd"]
    if not written and not any(reserves) and not any(suppliers):
        text = "No debt was written off with feedback, so that nobody carries any."
        return join([heading, element("p", text)])
    told = f"{money(written)} were written off at the prices of the moment. At the last prices "
    told += ", ".join(f"{name} {money(usd)}" for name, usd in carriers(run)) + "."
    drawn = any(reserves) or any(suppliers)
    if run.scenario.venues_of(IsolatedLending):
        told += " Isolated markets take what they write off from their suppliers at once"
        told += ", so that only deficits of pooled markets are drawn." if drawn else "."
    if not drawn:  # no pooled market has a deficit
        return join([heading, element("p", told)])
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
    rows, venues = [], run.summary["solvency"]["by_venue"]
    shown = [(key, title) for key, title in _SOLVENCY if any(key in v for v in venues.values())]
    for name, venue in venues.items():
        place = f"solvency.by_venue.{name}"

        def usd(key: str, venue: dict[str, float] = venue, place: str = place) -> Content:
            if key not in venue:
                return "\u2013"
            return figure_of(run, f"{place}.{key}", money(venue[key]))

        rows.append((name, *(usd(key) for key, _ in shown)))
    head = ("Venue", *(title for _, title in shown))
    return table("solvency", "The end, by venue, USD", head, rows)


_SOLVENCY = (
    ("insolvency_usd", "Insolvency"),
    ("bad_debt_usd", "Bad debt"),
    ("shortfall_market_usd", "Market shortfall"),
    ("shortfall_liquidation_usd", "Short of a liquidation"),
    ("shortfall_oracle_usd", "Short at feed prices"),
    ("carried_by_reserves_usd", "Covered by reserves"),
    ("carried_by_suppliers_usd", "Borne by suppliers"),
    ("carried_by_depositors_usd", "Lost by depositors"),
    ("carried_by_borrowers_usd", "Spread over borrowers"),
    ("carried_by_insurance_usd", "Paid by insurance"),
    ("carried_by_vault_usd", "Paid by the vault"),
)
