"""The section on the default waterfall: who paid each part of the loss, and haircuts by rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.charts import Bar, bar_chart
from harness.report.data import Run
from harness.report.figures import about, count, money, percent, plural
from harness.report.layout import Section
from harness.report.markup import Markup, element, join, table
from harness.report.sentences import figure_of
from harness.scenario import BPS

_STEPS = (
    ("margin", "Margin of those in default", "a"),
    ("insurance", "Insurance fund", "b"),
    ("own_share", "Their own contributions", "a"),
    ("stake", "The house's stake", "b"),
    ("default_fund", "Other members' contributions", "b"),
    ("assessment", "Assessments of members", "b"),
    ("deleveraging", "Winners, by deleveraging", "a"),
    ("winners", "All winners", "a"),
    ("vault", "The vault's holders", "a"),
    ("unpaid", "Nobody", "a"),
)
STEP_NAMES = {step: title for step, title, _ in _STEPS}
"""What each step of the waterfall is called."""


def waterfall(run: Run) -> Section:
    """Who paid when liquidations were not enough, for each exchange behind a clearing house."""
    venues: Mapping[str, Any] = run.summary["waterfall"]
    explained = element(
        "p",
        "Where an account in default has lost more than it had, the loss goes down the waterfall: "
        "each step pays what it can, and the next one is asked for the rest.",
    )
    parts = [explained, *(_venue(run, name, figures) for name, figures in venues.items())]
    return Section("waterfall", "The default waterfall", join(parts))


def _venue(run: Run, name: str, figures: Mapping[str, Any]) -> Markup:
    heading = element("h3", name)
    if not figures["reported"]:
        text = "Its insurance fund and its vault took whatever was liquidated: no default was left."
        return join([heading, element("p", text)])
    times, winners = figures["time_to_close"], figures["winners"]
    told = (
        f"{plural(figures['reported'], 'default')} in {plural(figures['rounds'], 'round')} left a "
        f"loss of {about(figures['loss_usd'])}. {plural(winners['paid'], 'winner')} paid part of "
        f"it; positions worth {about(winners['closed_usd'])} were closed against those in default."
    )
    if times["median_blocks"] is not None:
        told += (
            f" From default to closure half of them took {plural(times['median_blocks'], 'block')}"
            f" or less, the longest {plural(times['longest_blocks'], 'block')}."
        )
    severity = figures["severity"]
    if severity["most_bps"] < BPS:
        told += (
            f" Of the {about(severity['left_by_funds_usd'])} that no fund paid, deleveraging was to"
            f" recover at most {severity['most_bps'] / 100:g}%"
        )
        if severity["recovered_share"] is not None:
            told += f", and recovered {percent(severity['recovered_share'])}"
        told += "."
    insurance = figures["insurance"]
    sized = (
        f"The insurance fund had {about(insurance['start_usd'])} at the start; all that accounts "
        f"could not pay came to {about(insurance['needed_usd'])}. Sized for the "
        f"{percent(insurance['var_rule_quantile'], 0)} move over "
        f"{plural(insurance['var_rule_blocks'], 'block')} in every market at once it would have "
        f"been {about(insurance['var_rule_usd'])}."
    )
    return join(
        [
            heading,
            element("p", told),
            _steps(run, name, figures["loss_by_step_usd"]),
            _ranks(name, figures["by_rank"]),
            element("p", sized),
        ]
    )


def _steps(run: Run, name: str, paid: Mapping[str, float]) -> Markup:
    bars = [(title, [Bar(paid[step], money(paid[step]), style)]) for step, title, style in _STEPS]
    chart = bar_chart(
        f"waterfall-{name}",
        f"Who paid the losses of {name}",
        ", ".join(f"{title}: {money(paid[step])}" for step, title, _ in _STEPS),
        bars,
    )
    rows = [
        (title, figure_of(run, f"waterfall.{name}.loss_by_step_usd.{step}", money(paid[step])))
        for step, title, _ in _STEPS
    ]
    return join(
        [chart, table(f"waterfall-{name}-steps", "Loss by step, USD", ("Step", "Paid"), rows)]
    )


def _ranks(name: str, tenths: list[Mapping[str, float]]) -> Markup:
    bars = []
    rows = []
    for place, tenth in enumerate(tenths, 1):
        share = tenth["paid_usd"] / tenth["wealth_usd"] if tenth["wealth_usd"] else 0.0
        title = f"Tenth {place} of the line"
        bars.append((title, [Bar(share, percent(share), "a")]))
        rows.append(
            (
                title,
                count(int(tenth["accounts"])),
                money(tenth["wealth_usd"]),
                money(tenth["paid_usd"]),
                percent(share),
                money(tenth["closed_usd"]),
            )
        )
    chart = bar_chart(
        f"haircuts-{name}",
        f"Share of their profit that winners of {name} paid, by their place in line",
        ", ".join(f"{title}: {bar[0].text}" for title, bar in bars),
        bars,
    )
    head = ("Place", "Accounts", "Profit", "Paid", "Haircut", "Closed")
    caption = "Haircuts by rank, USD: accounts whose turn came, by tenths of the lines"
    return join(
        [
            element("h4", "Haircuts by rank"),
            chart,
            table(f"waterfall-{name}-ranks", caption, head, rows),
        ]
    )
