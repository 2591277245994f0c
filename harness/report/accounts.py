"""Sections on the accounts: health factors, margin calls, the largest positions."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.charts import (
    Bar,
    Line,
    TimeAxis,
    TimeChart,
    bar_chart,
    count_labels,
    legend,
)
from harness.report.data import Run
from harness.report.figures import about, count, money, plural, short
from harness.report.layout import Section, chart_figure, over_time
from harness.report.markup import Content, Markup, details, element, join, table
from harness.report.sentences import figure_of
from harness.report.tallies import health_bins, outcomes

_MOST_POSITIONS = 15
_ANSWERS = {
    "top_up": "adds collateral or repays",
    "deleverage": "sells collateral to repay",
    "move_collateral": "takes collateral out for another venue",
    "pay_in": "pays in margin",
    "reduce": "reduces a position",
    "raise_cash": "sells a holding for margin",
    "raise_loan": "borrows elsewhere for margin",
}


def health(run: Run) -> Section:
    """The distribution of health factors, by accounts and by debt."""
    title = "Health factors before and after"
    bins = health_bins(run)
    if not run.positions:
        return Section("health", title, element("p", "No lending market has accounts."))
    explained = element(
        "p",
        "Collateral weighed by its liquidation threshold, divided by debt, at the feed's prices of "
        "the first and the last block. Below 1 an account may be liquidated. Accounts without "
        "debt have none: they repaid, were liquidated whole, or their rest was written off.",
    )
    told_accounts = "; ".join(
        f"{found.name}: {count(found.accounts_before)} before, {count(found.accounts_after)} after"
        for found in bins
    )
    told_debt = "; ".join(
        f"{found.name}: {about(found.debt_before)} before, {about(found.debt_after)} after"
        for found in bins
    )
    by_accounts = bar_chart(
        "health-accounts",
        "Accounts by health factor, before and after",
        told_accounts,
        [
            (
                found.name,
                [
                    Bar(found.accounts_before, count(found.accounts_before), "before"),
                    Bar(found.accounts_after, count(found.accounts_after), "a"),
                ],
            )
            for found in bins
        ],
        labels_beside=True,
    )
    by_debt = bar_chart(
        "health-debt",
        "Debt by the health factor of its account, before and after",
        told_debt,
        [
            (
                found.name,
                [
                    Bar(found.debt_before, short(found.debt_before), "before"),
                    Bar(found.debt_after, short(found.debt_after), "a"),
                ],
            )
            for found in bins
            if found.name != "no debt"
        ],
        labels_beside=True,
    )
    rows = [
        (
            found.name,
            count(found.accounts_before),
            count(found.accounts_after),
            money(found.debt_before),
            money(found.debt_after),
        )
        for found in bins
    ]
    foot = (
        "all",
        count(sum(found.accounts_before for found in bins)),
        count(sum(found.accounts_after for found in bins)),
        money(sum(found.debt_before for found in bins)),
        money(sum(found.debt_after for found in bins)),
    )
    head = ("Health factor", "Accounts before", "Accounts after", "Debt before", "Debt after")
    caption = "Accounts and debt by health factor, before and after"
    return Section(
        "health",
        title,
        join(
            [
                explained,
                legend([("area", "before", "Before"), ("area", "a", "After")]),
                element(
                    "div",
                    chart_figure("Accounts", None, None, by_accounts),
                    chart_figure("Their debt, USD", None, None, by_debt),
                    class_="pair",
                ),
                details(
                    "The figures as a table", table("health-table", caption, head, rows, foot=foot)
                ),
            ]
        ),
    )


def margin_calls(run: Run) -> Section:
    """How many accounts were called, when, and how they answered."""
    calls = run.summary["margin_calls"]
    title = "Margin calls and how they were answered"
    explained = element(
        "p",
        "A call is an episode in which an account is below the health factor at which its owner "
        "acts. An account can be called more than once.",
    )
    here, twin = run.total
    if not calls["count"] and not any((*here.unhealthy, *twin.unhealthy, *twin.called)):
        return Section("calls", title, join([explained, element("p", "No account was called.")]))
    kinds = (
        ("met", "Met: collateral added or debt repaid"),
        ("reduced", "Reduced: collateral sold to repay"),
        ("ignored", "Ignored, or answered too late"),
    )
    bars = bar_chart(
        "calls-answers",
        "Margin calls by how they were answered",
        "; ".join(f"{name}: {count(calls[key])}" for key, name in kinds),
        [(name, [Bar(calls[key], count(calls[key]), "a")]) for key, name in kinds],
    )
    rows = [(name, figure_of(run, f"margin_calls.{key}")) for key, name in kinds]
    answers = details(
        "The figures as a table",
        table(
            "calls-table",
            "Margin calls by how they were answered",
            ("Answer", "Calls"),
            rows,
            foot=("All", figure_of(run, "margin_calls.count")),
        ),
    )
    return Section(
        "calls",
        title,
        join(
            [
                explained,
                chart_figure(
                    "Calls by answer",
                    f"{plural(calls['count'], 'call')} in all",
                    None,
                    bars,
                    answers,
                ),
                _called_over_time(run),
                _responses(run),
            ]
        ),
    )


def _called_over_time(run: Run) -> Markup:
    here, twin = run.total
    lines = [
        Line("Liquidatable, with feedback", [float(value) for value in here.unhealthy], "feed"),
        Line("Called, without feedback", [float(value) for value in twin.called], "twin"),
        Line("Called, with feedback", [float(value) for value in here.called], "run"),
    ]
    told = (
        f"At most {plural(max(here.called), 'account')} called at once with feedback and "
        f"{count(max(twin.called))} without; at most {count(max(here.unhealthy))} liquidatable "
        f"at once, {count(here.unhealthy[-1])} at the end."
    )
    chart = TimeChart(
        "called-chart",
        "Accounts called and liquidatable over time",
        told,
        TimeAxis(run.times),
        count_labels,
        lines=lines,
        height=170,
        from_zero=True,
        whole=True,
    )
    columns = [
        (line.name, [count(int(value or 0)) for value in line.values]) for line in reversed(lines)
    ]
    return chart_figure(
        "Accounts at the end of each block",
        told,
        legend(("line", line.style, line.name) for line in reversed(lines)),
        chart.svg(),
        over_time(run, "called-table", "Accounts called and liquidatable", columns),
    )


def _responses(run: Run) -> Markup | None:
    """What became of the transactions with which holders answer."""
    found = [
        (agent, action, outcome)
        for (agent, action), outcome in outcomes(run).items()
        if action in _ANSWERS
    ]
    if not found:
        return None
    rows = [
        (
            agent,
            _ANSWERS[action],
            count(outcome.sent),
            count(outcome.succeeded),
            count(outcome.reverted),
            count(outcome.expired + outcome.pending),
        )
        for agent, action, outcome in found
    ]
    head = ("Who", "Answer", "Sent", "Succeeded", "Failed", "Never got in")
    caption = "Transactions of those who were called"
    return table("responses", caption, head, rows, text_columns=(0, 1))


def largest_positions(run: Run) -> Section:
    """The accounts that owed most at the start, and how they fared."""
    title = "The largest positions"
    owing = [position for position in run.positions if position.debt_before]
    if not owing:
        return Section("positions", title, element("p", "No account owed anything at the start."))
    ordered = sorted(owing, key=lambda position: (-position.debt_before, position.account))
    shown = ordered[:_MOST_POSITIONS]
    total = sum(position.debt_before for position in owing)
    share = sum(position.debt_before for position in shown) / total
    repaid: dict[tuple[str, int], float] = {}
    for row in run.liquidations:
        key = (row.venue, row.account)
        repaid[key] = repaid.get(key, 0.0) + row.repaid
    alike = len({(*position.collateral, "", *position.debt) for position in shown}) == 1
    rows: list[list[Content]] = []
    for position in shown:
        key = (position.venue, position.account)
        rows.append(
            [
                position.name,
                join([money(position.debt_before), *_assets(position.debt, alike)]),
                join([money(position.collateral_before), *_assets(position.collateral, alike)]),
                _health(position.health_before),
                _health(position.health_after),
                money(position.debt_after),
                money(repaid[key]) if key in repaid else "\u2013",
                _block(position.liquidated),
                _block(position.twin_liquidated),
                _RESPONSES.get(position.response, position.response),
            ]
        )
    owed = f"; all owe {'+'.join(shown[0].debt)} against {'+'.join(shown[0].collateral)}"
    text = (
        f"{plural(len(shown), 'account')} of {count(len(owing))}, with {share:.0%} of all debt"
        f"{owed if alike else ''}. "
        "Values in USD at the feed's prices of the first and the last block."
    )
    head = (
        "Account",
        "Debt before",
        "Collateral before",
        "Health factor before",
        "Health factor after",
        "Debt after",
        "Repaid in liquidations",
        "First liquidated in block",
        "Without feedback",
        "When called",
    )
    shown_table = table(
        "positions-table",
        "Accounts with the most debt at the start",
        head,
        rows,
        text_columns=(0, 9),
    )
    return Section("positions", title, join([element("p", text), shown_table]))


_RESPONSES = {
    "top-up": "adds collateral",
    "deleverage": "sells",
    "move": "moves collateral",
    "nothing": "does nothing",
}


def _assets(symbols: Sequence[str], alike: bool) -> list[Content]:
    """Which assets an amount is of, below it, unless it is the same everywhere."""
    return [] if alike else [element("br"), f"in {'+'.join(symbols)}"]


def _health(value: float | None) -> str:
    return "no debt" if value is None else f"{value:,.3f}"


def _block(block: int | None) -> str:
    return "\u2013" if block is None else count(block)
