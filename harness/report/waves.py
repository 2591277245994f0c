"""Which liquidations caused which, and which only feedback brought."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.charts import Bar, bar_chart
from harness.report.data import Run
from harness.report.figures import about, count, money, percent, plural, ratio, short
from harness.report.layout import Section, chart_figure
from harness.report.markup import Content, Markup, bullets, details, element, join, table
from harness.report.sentences import figure_of

_MOST_WAVES = 12
_MOST_ACCOUNTS = 50

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
        f"{settled(run)} by wave",
        "; ".join(f"{name}: {about(repaid)}" for name, _, repaid in rows),
        [(name, [Bar(repaid, short(repaid), "a")]) for name, _, repaid in rows],
        labels_beside=True,
    )
    return element(
        "div",
        chart_figure("Number of liquidations", None, None, by_count),
        chart_figure(f"{settled(run)}, USD", None, None, by_value),
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
        settled(run),
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
    head = ("Venue", "Liquidations", settled(run), "Collateral seized")
    return table("liquidations-by-venue", "Liquidations by venue", head, rows)


def settled(run: Run) -> str:
    """What liquidations settle: debt, and on an exchange notional."""
    return "Repaid or closed" if run.exchanges else "Debt repaid"
