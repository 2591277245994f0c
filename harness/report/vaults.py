"""Curated vaults: what a share was worth, what could be paid out, who got out and who stayed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.metrics.suppliers import by_kind
from harness.report.charts import Line, TimeAxis, TimeChart, legend, money_labels, price_labels
from harness.report.data import Run
from harness.report.figures import about, count, money, percent, plural
from harness.report.layout import Section, chart_figure, over_time
from harness.report.markup import Content, Markup, element, join, table
from harness.report.sentences import figure_of


def vaults(run: Run) -> Section:
    """For each vault the price of its shares, its assets and liquidity, and its depositors."""
    explained = element(
        "p",
        "A share of a vault is worth its part of all that the vault lends. What a market writes "
        "off is off every share at once, and reaches whoever takes shares as collateral; what is "
        "lent out cannot be redeemed.",
    )
    parts = [_vault(run, name, found) for name, found in run.summary["vaults"].items()]
    return Section("vaults", "Vaults", join([explained, *parts]))


def _vault(run: Run, name: str, found: Mapping[str, Any]) -> Markup:
    lost = {market: usd for market, usd in found["lost_usd"].items() if usd}
    forced, price = found["forced_redemptions"], found["price_usd"]
    at = f"vaults.{name}"
    told = [
        f"A {found['share']} was worth ",
        figure_of(run, f"{at}.price_usd.start", f"${price['start']:.4f}"),
        " at first and ",
        figure_of(run, f"{at}.price_usd.end", f"${price['end']:.4f}"),
        f" at the end, {money(found['liquidity_usd'])} of {money(found['assets_usd'])} could then "
        "be paid out. ",
        f"Lost in {', '.join(f'{market} {about(usd)}' for market, usd in lost.items())}. "
        if lost
        else "No market has written off anything of it. ",
        *_beyond(run, found["lost_usd"]),
        f"{plural(forced['count'], 'redemption')} by liquidators took {money(forced['usd'])}.",
        *_pool(run, found["pool"], f"{at}.pool"),
    ]
    return join(
        [
            element("h3", name),
            element("p", *told),
            _price_chart(run, name, str(found["share"])),
            _liquidity_chart(run, name),
            _depositors(name, found),
        ]
    )


def _beyond(run: Run, markets: Iterable[str]) -> list[Content]:
    """What a share's worth does not show yet."""
    by_venue = run.summary["solvency"]["by_venue"]
    beyond = {market: by_venue[market]["shortfall_market_usd"] for market in markets}
    owed = ", ".join(f"{market} {money(usd)}" for market, usd in beyond.items() if usd)
    return [f"Debt beyond its collateral, not written off yet: {owed}. "] if owed else []


def _pool(run: Run, pool: Mapping[str, Any] | None, at: str) -> list[Content]:
    """What became of the shares' price where a pool has one."""
    if pool is None:
        return []
    price, below, sold = pool["price_usd"], pool["discount_bps"], pool["forced_sales"]
    short = {market: usd for market, usd in pool["shortfall_usd"].items() if usd}
    told = ", ".join(f"{market} {about(usd)}" for market, usd in short.items())
    return [
        f" In {pool['name']} it cost ",
        figure_of(run, f"{at}.price_usd.end", f"${price['end']:.4f}"),
        " at the end, at most ",
        figure_of(run, f"{at}.discount_bps.most", percent(below["most"] / 10_000)),
        f" less than it was worth; {plural(sold['count'], 'forced sale')} there brought "
        f"{money(sold['usd'])}. ",
        f"At that price debts exceed their collateral: {told}."
        if short
        else "At that price all debts are covered.",
    ]


def _price_chart(run: Run, name: str, share: str) -> Markup:
    priced, quoted = run.prices[share], run.vaults[name].quoted
    axis = TimeAxis(run.times)
    told = f"The worth of a {share} with feedback and without, USD."
    identity = f"vault-{name}-price"
    chart = TimeChart(
        identity,
        f"{name}: worth of a share",
        told,
        axis,
        price_labels,
        lines=[
            Line("without", priced.twin_outside, "twin"),
            Line("with feedback", priced.outside, "run"),
            *([] if quoted is None else [Line("in its pool", quoted, "feed")]),
        ],
        height=170,
    )
    columns = [
        ("With feedback", [f"{value:.6f}" for value in priced.outside]),
        ("Without", [f"{value:.6f}" for value in priced.twin_outside]),
    ]
    marks = [("line", "run", "with feedback"), ("line", "twin", "without")]
    if quoted is not None:
        columns.append(("In its pool", [f"{value:.6f}" for value in quoted]))
        marks.append(("line", "feed", "price in its pool"))
    return chart_figure(
        f"Worth of a {share}, USD",
        told,
        legend(marks),
        chart.svg(),
        over_time(run, f"{identity}-table", told, columns),
    )


def _liquidity_chart(run: Run, name: str) -> Markup:
    books = run.vaults[name]
    identity = f"vault-{name}-liquidity"
    told = "All that its shares are worth, and what of it could be paid out at once."
    chart = TimeChart(
        identity,
        f"{name}: assets and liquidity",
        told,
        TimeAxis(run.times),
        money_labels,
        lines=[Line("assets", books.assets, "run"), Line("liquidity", books.liquidity, "feed")],
        height=170,
    )
    columns = [
        ("Assets", [money(value) for value in books.assets]),
        ("Could be paid out", [money(value) for value in books.liquidity]),
    ]
    return chart_figure(
        f"Assets and liquidity of {name}, USD",
        told,
        legend([("line", "run", "assets"), ("line", "feed", "could be paid out")]),
        chart.svg(),
        over_time(run, f"{identity}-table", told, columns),
    )


def _depositors(name: str, found: Mapping[str, Any]) -> Markup:
    rows: list[tuple[Content, ...]] = []
    for group, members in by_kind(found["rows"]).items():
        held = sum(int(row["shares"]) for row in members)
        left = sum(int(row["left"]) for row in members)
        rows.append(
            (
                group,
                count(len(members)),
                count(sum(int(row["left"]) == 0 for row in members)),
                percent(1 - left / held),
                money(sum(row["loss_usd"] for row in members)),
            )
        )
    head_row = ("Depositors", "Number", "Got out", "Shares redeemed", "Loss")
    return table(f"vault-{name}-depositors", f"Depositors of {name}", head_row, rows)
