"""An audit as Markdown: the same content as the page, for pull requests and proposals.

It holds no times and no versions, so that the same audit gives the same text.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from harness.audit import words
from harness.audit.result import AuditResult, ClassResult
from harness.report.figures import money, percent, ratio
from harness.risk.tail import Estimate
from harness.scenario import BPS
from harness.terminal import WIDTH

__all__ = ["markdown", "summary"]

#: Columns of a name, and the fewest.
_NAME, _SHORTEST = 34, 20


def markdown(result: AuditResult, scenario_file: Path) -> str:
    """The audit as Markdown text.

    scenario_file: where the scenario is kept from which runs are repeated
    """
    parts = [part for section in _SECTIONS for part in section(result, scenario_file)]
    return "\n".join(parts).rstrip() + "\n"


def summary(result: AuditResult, width: int = WIDTH) -> str:
    """The audit in a screenful, as wide as the terminal, at most 80 columns."""
    room = max(_SHORTEST, _NAME - (WIDTH - width))
    lines = [f"{result.scenario.name}: {words.headline(result)}"]
    said = (words.verdict, words.suggestion, lambda r: words.cap(r.cap), words.binding)
    for text in (say(result) for say in said):
        lines += textwrap.wrap(text, width)
    lines += ["", f"{'class of crises':<{room}}{'ES':>14}{'insolvent':>12}{'runs in tail':>14}"]
    level = result.scenario.audit.level
    for each in result.classes:
        figures = each.evaluation.figures
        if figures is None:
            continue
        share = percent(figures.probability_of_insolvency.value)
        lines.append(
            f"{_cut(each.stress.name, room):<{room}}{words.bps(each.evaluation.share):>14}"
            f"{share:>12}{figures.at(level).runs:>14}"
        )
    lines += ["", f"{'parameter':<{room}}{'in force':>14}  safe"]
    for found in result.ranges:
        safe = words.safe(found)
        line = f"{_cut(found.lever.name, room):<{room}}{words.present(found.lever):>14}"
        lines += [f"{line}  {safe}"] if len(line) + 2 + len(safe) <= width else [line, f"  {safe}"]
    return "\n".join(lines)


def _cut(name: str, room: int) -> str:
    return name if len(name) < room else f"{name[: room - 2]}\u2026"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---' for _ in head)}|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"
    yield ""


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return money(found.value)
    return f"{money(found.value)} ({money(found.low)} to {money(found.high)})"


def _verdict(result: AuditResult, _: Path) -> Iterator[str]:
    yield f"# {result.scenario.title or result.scenario.name}: {words.headline(result)}"
    yield ""
    yield words.verdict(result)
    yield ""
    if words.suggestion(result):
        yield words.suggestion(result)
        yield ""
    if result.cap is not None:
        yield words.cap(result.cap)
        yield ""
    yield words.binding(result)
    yield ""
    yield f"Appetite: {words.appetite(result)}."
    yield ""


def _risk(result: AuditResult, _: Path) -> Iterator[str]:
    yield "## Risk figures"
    yield ""
    yield from _figures(result.classes)
    if result.suggestion is not None:
        found = result.suggestion
        changed = words.value(found.value, found.lever.unit)
        yield f"### With {found.lever.name} at {changed}"
        yield ""
        yield from _figures(found.classes)
    for refuted in result.tried:
        at = f"{refuted.lever.name} at {words.value(refuted.value, refuted.lever.unit)}"
        left = ", ".join(
            f"{words.bps(c.evaluation.share)} in {c.stress.name}" for c in refuted.classes
        )
        yield f"- Tried with all runs and refuted: {at} leaves {left}."
    if result.tried:
        yield ""


def _figures(classes: Sequence[ClassResult]) -> Iterator[str]:
    names = [each.stress.name for each in classes]
    found = [each.evaluation.figures for each in classes]
    known = [figures for figures in found if figures is not None]
    if len(known) < len(found):
        yield "Some class could not be run."
        yield ""
        return
    rows: list[tuple[str, list[str]]] = [
        ("what happens", [words.class_meaning(each) for each in classes]),
        ("runs", [f"{figures.runs:,}" for figures in known]),
        ("mean insolvency", [money(figures.mean_insolvency_usd) for figures in known]),
    ]
    for place, tail in enumerate(known[0].tails):
        level = f"{tail.level:.4g}"
        tails = [figures.tails[place] for figures in known]
        rows += [
            (f"VaR {level}", [_interval(each.value_at_risk) for each in tails]),
            (f"expected shortfall {level}", [_interval(each.expected_shortfall) for each in tails]),
            (f"runs in the tail at {level}", [f"{each.runs:,}" for each in tails]),
        ]
    rows += [
        ("ES / supply", [words.bps(each.evaluation.share) for each in classes]),
        ("worst insolvency", [money(figures.worst_insolvency_usd) for figures in known]),
        (
            "probability of insolvency above 1 bp",
            [
                f"{percent(f.probability_of_insolvency.value)} "
                f"({percent(f.probability_of_insolvency.low or 0)} to "
                f"{percent(f.probability_of_insolvency.high or 0)})"
                for f in known
            ],
        ),
        ("loss given insolvency", [_money(f.loss_given_insolvency_usd) for f in known]),
        ("LaR, liquidations at 95%", [money(f.liquidations_at_risk_usd) for f in known]),
        ("days of interest to cover ES", [_days(f.interest_days) for f in known]),
        ("supplied", [money(f.supplied_usd) for f in known]),
        ("borrowed", [money(f.borrowed_usd) for f in known]),
        ("borrow usage", [ratio(f.borrow_usage) for f in known]),
        ("debt / collateral", [ratio(f.capital_efficiency) for f in known]),
    ]
    yield from _table(["", *names], [[label, *cells] for label, cells in rows])


def _money(amount: float | None) -> str:
    return "\u2013" if amount is None else money(amount)


def _days(days: float | None) -> str:
    return "\u2013" if days is None else f"{days:,.1f}"


def _ranges(result: AuditResult, _: Path) -> Iterator[str]:
    yield "## Safe ranges"
    yield ""
    yield words.search(result)
    yield ""
    yield from _table(
        ["parameter", "in force", "", "safe range"],
        [
            [f.lever.name, words.present(f.lever), words.status(f), words.safe(f)]
            for f in result.ranges
        ],
    )
    yield "## Closed forms beside the runs' bounds"
    yield ""
    yield from _table(
        ["bound on", "closed form", "value", "runs", "runs / form", "it supposes"],
        [
            [
                bound.parameter,
                bound.form,
                words.value(bound.closed_form, bound.unit),
                "none safe"
                if bound.simulated is None
                else f"{words.value(bound.simulated, bound.unit)}"
                + (" or more" if bound.open_ended else ""),
                words.difference(bound.difference, open_ended=bound.open_ended),
                bound.premise,
            ]
            for bound in result.bounds
        ],
    )
    for each in result.feedback:
        yield words.feedback(each)
        yield ""


def _pressure(result: AuditResult, _: Path) -> Iterator[str]:
    yield "## What binds"
    yield ""
    yield words.binding(result)
    yield ""
    yield from _table(
        ["relaxed", "how", "ES / supply"],
        [[r.constraint, r.meaning, words.bps(r.share)] for r in result.relaxations],
    )
    yield "## Health factors and depth"
    yield ""
    wanted = result.scenario.audit
    yield from _table(
        ["health factors", *(f"depth x {depth:g}" for depth in wanted.depth)],
        [
            [f"x {health:g}", *(words.bps(cell) for cell in cells)]
            for health, cells in zip(wanted.health, result.health_by_depth, strict=True)
        ],
    )
    if result.variants:
        yield "## What the inputs leave open"
        yield ""
        yield from _table(
            ["at", "class", "ES / supply", ""],
            [
                [v.name, v.stress, words.bps(v.share), "passes" if v.passes else "fails"]
                for v in result.variants
            ],
        )
    yield "## Sensitivity"
    yield ""
    if result.sensitivity.note:
        yield result.sensitivity.note
        yield ""
        return
    yield "Morris' elementary effects on ES / supply, all factors moving at once."
    yield ""
    yield from _table(
        ["factor", "from", "to", "mean effect", "spread"],
        [
            [i.factor, f"{i.low:g}", f"{i.high:g}", words.bps(i.mu_star), words.bps(i.sigma)]
            for i in result.sensitivity.indices
        ],
    )


def _frontier(result: AuditResult, _: Path) -> Iterator[str]:
    yield "## Capital efficiency against expected shortfall"
    yield ""
    yield from _table(
        ["parameter", "value", "debt / collateral", "borrowed", "ES / supply", ""],
        [
            [
                point.parameter,
                words.value(point.value, point.unit),
                ratio(point.efficiency),
                money(point.borrowed_usd),
                words.bps(point.share),
                "passes" if point.passes else "fails",
            ]
            for point in result.frontier
        ],
    )


def _worst(result: AuditResult, scenario_file: Path) -> Iterator[str]:
    yield "## Worst runs"
    yield ""
    for run in result.worst:
        yield (
            f"- {run.stress}, seed {run.seed}: insolvency {money(run.insolvency_usd)}, "
            f"{run.share * BPS:,.1f} bps of what is supplied, log move {run.move:.3f}"
        )
        yield ""
        yield f"      {words.replay(run, scenario_file)}"
        yield ""


def _premises(result: AuditResult, _: Path) -> Iterator[str]:
    for title, items in (
        ("Assumptions", words.assumptions(result)),
        ("Limitations", (*words.LIMITATIONS, *result.scenario.limitations)),
        ("Notes", result.notes),
        ("Sources", result.scenario.sources),
    ):
        if items:
            yield f"## {title}"
            yield ""
            yield from (f"- {item}" for item in items)
            yield ""
    yield f"{result.runs:,} runs, seed {result.seed}."


_SECTIONS = (_verdict, _risk, _ranges, _pressure, _frontier, _worst, _premises)
