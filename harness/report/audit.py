"""The page of an audit: the verdict first, then everything it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import __version__
from harness.audit import words
from harness.audit.result import AuditResult, ClassResult, FrontierPoint
from harness.report.audit_charts import Cell, Dot, heat_map, scatter
from harness.report.charts import (
    WAVE_STYLES,
    Bar,
    Scale,
    bar_chart,
    count_labels,
    legend,
    money_labels,
)
from harness.report.figures import money, percent, plural, ratio, short
from harness.report.frame import frame
from harness.report.layout import Section, chart_figure, key_figures
from harness.report.markup import Content, Markup, bullets, details, element, join, linked, table
from harness.risk.tail import Estimate
from harness.scenario import BPS

__all__ = ["render_audit"]

_BINS = 10
_STYLES = ("a", "b", "before")


def render_audit(result: AuditResult, scenario_file: Path, manifest: Mapping[str, Any]) -> str:
    """The page of an audit.

    scenario_file: where the scenario is kept from which runs are repeated
    manifest: what it was made with, and the command
    """
    told = f"Scenario {result.scenario.name}, seed {result.seed}, {plural(result.runs, 'run')}"
    return frame(
        result.scenario.title or result.scenario.name,
        "parameter audit",
        told,
        [
            _verdict(result),
            _risk(result),
            _distribution(result),
            _maps(result),
            _frontier(result),
            _bounds(result),
            _binds(result),
            _sensitivity(result),
            _worst(result, scenario_file),
            _list("assumptions", "Assumptions", words.assumptions(result)),
            _list("limitations", "Limitations", words.LIMITATIONS + result.scenario.limitations),
            _list("notes", "Notes", result.notes),
            _list("sources", "Sources", result.scenario.sources),
            _manifest(manifest),
        ],
        skip="Skip to the verdict",
        footer=f"Written by harness {__version__}. Every loss was read from contract state or "
        "events on the chain.",
    )


def _multiple(result: AuditResult, share: float | None) -> float | None:
    """A share of supply in few runs as a multiple of the limit for them."""
    limit = result.limit
    if share is None or not math.isfinite(share):
        return None
    return share / limit if limit else (math.inf if share else 0.0)


def _verdict(result: AuditResult) -> Section:
    style = "pass" if result.verdict == "pass" else "alarm"
    said = element(
        "div",
        element("p", element("strong", f"{words.headline(result)}. "), words.verdict(result)),
        class_=style,
    )
    parts: list[Content] = [said]
    if words.suggestion(result):
        parts.append(element("p", words.suggestion(result)))
    if result.cap is not None:
        parts.append(element("p", words.cap(result.cap)))
    parts.append(_tiles(result))
    parts.append(element("p", words.binding(result)))
    parts.append(element("p", f"Appetite: {words.appetite(result)}."))
    return Section("verdict", "Verdict", join(parts))


def _tiles(result: AuditResult) -> Markup:
    worst = next(c for c in result.classes if c.stress.name == result.worst_class)
    figures = worst.evaluation.figures
    if figures is None:
        return element("p", "The worst class could not be run.")
    level = result.scenario.audit.level
    tail = figures.at(level)
    entries = [
        (
            f"Expected shortfall at {level:.4g}",
            short(tail.expected_shortfall.value),
            f"{words.bps(worst.evaluation.share)} of supply; "
            f"{plural(tail.runs, 'run')} in the tail",
        ),
        (
            "Probability of insolvency",
            percent(figures.probability_of_insolvency.value),
            "above 1 bp of supply, given a crisis",
        ),
        (
            "Liquidations at risk",
            short(figures.liquidations_at_risk_usd),
            "debt repaid, 95th percentile",
        ),
        (
            "Borrowed",
            short(figures.borrowed_usd),
            f"debt / collateral {ratio(figures.capital_efficiency)}",
        ),
    ]
    return key_figures(entries)


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return money(found.value)
    return f"{money(found.value)} ({short(found.low)} to {short(found.high)})"


def _figures(identity: str, caption: str, classes: Sequence[ClassResult]) -> Markup:
    known = [(each, each.evaluation.figures) for each in classes]
    rows: list[list[Content]] = []
    for each, figures in known:
        if figures is None:
            rows.append([each.stress.name, "could not be run", *[""] * 8])
            continue
        rows += [
            [
                each.stress.name,
                f"{tail.level:.4g}",
                _interval(tail.value_at_risk),
                _interval(tail.expected_shortfall),
                f"{tail.runs:,} of {figures.runs:,}",
            ]
            for tail in figures.tails
        ]
    tails = table(
        identity,
        caption,
        ("Class", "Level", "VaR", "Expected shortfall (95% interval)", "Runs in the tail"),
        rows,
    )
    more: list[list[Content]] = [
        [
            each.stress.name,
            percent(figures.probability_of_insolvency.value),
            _money(figures.loss_given_insolvency_usd),
            money(figures.worst_insolvency_usd),
            money(figures.liquidations_at_risk_usd),
            "\u2013" if figures.interest_days is None else f"{figures.interest_days:,.1f}",
            ratio(figures.borrow_usage),
            ratio(figures.capital_efficiency),
        ]
        for each, figures in known
        if figures is not None
    ]
    others = table(
        f"{identity}-more",
        "How often, how much, and against what",
        (
            "Class",
            "P(insolvency)",
            "Loss given insolvency",
            "Worst run",
            "LaR 95%",
            "Days of interest to cover ES",
            "Borrow usage",
            "Debt / collateral",
        ),
        more,
    )
    return join([tails, others])


def _money(amount: float | None) -> str:
    return "\u2013" if amount is None else money(amount)


def _risk(result: AuditResult) -> Section:
    meanings = bullets(
        [
            join([element("strong", c.stress.name), ": ", words.class_meaning(c)])
            for c in result.classes
        ],
        "",
    )
    parts: list[Content] = [meanings, _figures("risk", "As it is", result.classes)]
    if result.suggestion is not None:
        found = result.suggestion
        changed = words.value(found.value, found.lever.unit)
        parts.append(element("h3", f"With {found.lever.name} at {changed}, re-run"))
        parts.append(_figures("risk-changed", "After the change", found.classes))
    if result.tried:
        parts.append(element("p", "Tried with all runs and refuted:"))
        parts.append(
            bullets(
                [
                    f"{t.lever.name} at {words.value(t.value, t.lever.unit)} leaves "
                    + ", ".join(
                        f"{words.bps(c.evaluation.share)} in {c.stress.name}" for c in t.classes
                    )
                    for t in result.tried
                ],
                "",
            )
        )
    return Section("risk-figures", "Risk figures", join(parts))


def _distribution(result: AuditResult) -> Section:
    """Probability of each bracket of insolvency, by class."""
    largest = max((r.loss_usd for c in result.classes for r in c.evaluation.records), default=0.0)
    if not largest:
        text = element("p", "No run ended with any insolvency.")
        return Section("distribution", "Distribution of losses", text)
    width = largest / _BINS
    rows = []
    edges = [(0.0, 0.0), *((place * width, (place + 1) * width) for place in range(_BINS))]
    for place, (low, high) in enumerate(edges):
        label = "none" if place == 0 else f"{short(low)} to {short(high)}"
        bars = []
        for number, each in enumerate(result.classes):
            total = sum(draw.weight for draw in each.evaluation.draws)
            share = sum(
                draw.weight
                for draw, made in zip(each.evaluation.draws, each.evaluation.records, strict=True)
                if _bin(made.loss_usd, width) == place
            )
            told = f"{percent(share / total, 2)} {each.stress.name}"
            bars.append(Bar(share / total, told, _STYLES[number % len(_STYLES)]))
        rows.append((label, bars))
    title = "Insolvency at the end of a run, by probability"
    chart = bar_chart("losses", title, "Probability of each bracket, by class of crises", rows)
    note = "Given a crisis of the class. Runs are weighted by the probability of their stratum."
    return Section("distribution", "Distribution of losses", chart_figure(title, note, None, chart))


def _bin(loss: float, width: float) -> int:
    return 0 if loss <= 0 else min(_BINS, int(loss / width) + 1)


def _maps(result: AuditResult) -> Section:
    wanted = result.scenario.audit
    health = heat_map(
        "health-depth",
        f"Expected shortfall in bps of supply: health factors against depth, {result.worst_class}",
        ("Health factors", *(f"depth \u00d7 {depth:g}" for depth in wanted.depth)),
        [
            (
                f"\u00d7 {factor:g}",
                [
                    Cell(_multiple(result, c), _short_bps(c), factor == depth == 1)
                    for depth, c in zip(wanted.depth, cells, strict=True)
                ],
            )
            for factor, cells in zip(wanted.health, result.health_by_depth, strict=True)
        ],
    )
    ranges = table(
        "ranges",
        f"Safe range of each parameter alone, in {result.worst_class}",
        ("Parameter", "In force", "", "Safe"),
        [
            (
                f.lever.name,
                words.present(f.lever),
                words.status(f),
                words.safe(f),
            )
            for f in result.ranges
        ],
        text_columns=(0, 2, 3),
    )
    strips = heat_map(
        "tried",
        "Every value tried, from low to high, with expected shortfall in bps of supply; the value "
        "in force is bold",
        ("Parameter",),
        [
            (
                f.lever.name,
                [
                    Cell(
                        _multiple(result, p.share),
                        join(
                            [
                                words.value(p.value, f.lever.unit),
                                element("br"),
                                _short_bps(p.share),
                            ]
                        ),
                        p.value == f.lever.value,
                    )
                    for p in f.points
                ],
            )
            for f in result.ranges
        ],
    )
    shades = element(
        "p",
        "Green cells are within the limit; the darker an orange one, the further beyond it.",
        class_="soft",
    )
    told = element("p", words.search(result))
    open_ends = (
        table(
            "variants",
            "What the inputs leave open",
            ("At", "Class", "ES / supply", ""),
            [
                (v.name, v.stress, words.bps(v.share), "passes" if v.passes else "fails")
                for v in result.variants
            ],
            text_columns=(0, 1, 3),
        )
        if result.variants
        else None
    )
    return Section("maps", "Safe ranges", join([told, ranges, strips, shades, health, open_ends]))


def _short_bps(share: float | None) -> str:
    if share is None or not math.isfinite(share):
        return "not run"
    return f"{share * BPS:,.1f}"


def _frontier(result: AuditResult) -> Section:
    limit = result.limit * BPS
    charts = [
        _scatter(
            "frontier-leverage",
            "Debt a dollar of collateral carries, against expected shortfall",
            [p for p in result.frontier if not _is_size(p)],
            limit,
            money_axis=False,
        ),
        _scatter(
            "frontier-size",
            "How much is lent, against expected shortfall",
            [p for p in result.frontier if _is_size(p)],
            limit,
            money_axis=True,
        ),
    ]
    return Section(
        "frontier",
        "Capital efficiency against expected shortfall",
        join([*charts, details("The points as a table", _points(result.frontier))]),
    )


def _is_size(point: FrontierPoint) -> bool:
    return point.kind in ("supply-cap", "borrow-cap", "open-interest")


def _scatter(
    identity: str, title: str, points: Sequence[FrontierPoint], limit: float, *, money_axis: bool
) -> Markup | None:
    if not points:
        return None
    names = list(dict.fromkeys(point.parameter for point in points))
    dots = [
        Dot(
            point.borrowed_usd if money_axis else point.efficiency,
            point.share * BPS,
            names.index(point.parameter),
            f"{point.parameter} {words.value(point.value, point.unit)}: {words.bps(point.share)}",
        )
        for point in points
    ]
    chart = scatter(
        identity,
        title,
        f"{len(points)} points; the broken line is the limit of {limit:.4g} bps",
        dots,
        across=money_labels if money_axis else count_labels,
        up=_bps_labels,
        limit=limit,
        limit_text=f"limit {limit:.4g} bps",
    )
    keys = legend(
        ("mark", WAVE_STYLES[place % len(WAVE_STYLES)], name) for place, name in enumerate(names)
    )
    across = "Across: debts in USD." if money_axis else "Across: debts / collateral value."
    return chart_figure(title, f"{across} Up: expected shortfall, bps of supply.", keys, chart)


def _bps_labels(scale: Scale) -> list[str]:
    return count_labels(scale)


def _points(points: Sequence[FrontierPoint]) -> Markup:
    return table(
        "frontier-points",
        "Frontier",
        ("Parameter", "Value", "Debt / collateral", "Borrowed", "ES / supply", ""),
        [
            (
                p.parameter,
                words.value(p.value, p.unit),
                ratio(p.efficiency),
                money(p.borrowed_usd),
                words.bps(p.share),
                "passes" if p.passes else "fails",
            )
            for p in points
        ],
        text_columns=(0, 5),
    )


def _bounds(result: AuditResult) -> Section:
    told = [element("p", words.feedback(each)) for each in result.feedback]
    if not result.bounds:
        text = told or [element("p", "None applies.")]
        return Section("bounds", "Closed forms", join(text))
    rows: list[list[Content]] = [
        [
            b.parameter,
            b.form,
            words.value(b.closed_form, b.unit),
            "none safe"
            if b.simulated is None
            else words.value(b.simulated, b.unit) + (" or more" if b.open_ended else ""),
            words.difference(b.difference, open_ended=b.open_ended),
            element("span", b.premise, class_="why"),
        ]
        for b in result.bounds
    ]
    shown = table(
        "bounds-table",
        "Upper bounds from formulas and from runs",
        ("Bound on", "Closed form", "Value", "Runs", "Runs / form", "It supposes"),
        rows,
        text_columns=(0, 1, 5),
    )
    note = element(
        "p",
        "A formula bounds what its premise describes; where the runs differ from it, the premise "
        "does not hold here.",
    )
    return Section("bounds", "Closed forms beside the runs", join([note, shown, *told]))


def _binds(result: AuditResult) -> Section:
    rows = [
        (
            f"{r.constraint}: {r.meaning}",
            [Bar(0.0 if r.share is None else r.share * BPS, words.bps(r.share), "a")],
        )
        for r in result.relaxations
    ]
    title = "Expected shortfall with each constraint relaxed alone"
    chart = bar_chart("relaxed", title, words.binding(result), rows)
    return Section(
        "binds",
        "What binds",
        join([element("p", words.binding(result)), chart_figure(title, None, None, chart)]),
    )


def _sensitivity(result: AuditResult) -> Section:
    found = result.sensitivity
    if found.note:
        return Section("sensitivity", "Sensitivity", element("p", f"Indices: {found.note}."))
    rows: list[list[Content]] = [
        [
            i.factor,
            f"{i.low:g}",
            f"{i.high:g}",
            words.bps(i.mu_star),
            "\u2013" if i.sigma is None else words.bps(i.sigma),
        ]
        for i in found.indices
    ]
    note = element(
        "p",
        "Morris' elementary effects: all factors move at once over the ranges stated. A spread as "
        "large as the mean effect means that the factor acts through others.",
    )
    shown = table(
        "indices",
        "Effects on expected shortfall, the largest first",
        ("Factor", "From", "To", "Mean effect", "Spread"),
        rows,
    )
    return Section("sensitivity", "Sensitivity", join([note, shown]))


def _worst(result: AuditResult, scenario_file: Path) -> Section:
    runs = (
        (
            element(
                "p",
                f"{run.stress}, seed {run.seed}: insolvency {money(run.insolvency_usd)}, "
                f"{run.share * BPS:,.1f} bps of what is supplied; log move {run.move:.3f}",
            ),
            element("pre", element("code", words.replay(run, scenario_file))),
        )
        for run in result.worst
    )
    parts = [part for pair in runs for part in pair]
    return Section("worst", "Worst runs", join(parts))


def _list(identity: str, title: str, items: Sequence[str]) -> Section:
    return Section(identity, title, bullets([linked(text) for text in items], "None."))


def _manifest(manifest: Mapping[str, Any]) -> Section:
    pairs = (
        element(tag, content)
        for name, value in manifest.items()
        for tag, content in (("dt", name), ("dd", element("code", str(value))))
    )
    return Section("manifest", "How to repeat it", element("dl", *pairs, class_="pairs"))
