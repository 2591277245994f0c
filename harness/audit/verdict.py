"""The audit: figures of every class, ranges, what binds, and the smallest change that passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Literal

from harness.audit.bounds import bounds
from harness.audit.draws import Draw, draws, overrides, stresses
from harness.audit.feedback import feedback
from harness.audit.inputs import Variant
from harness.audit.lever import Lever
from harness.audit.levers import levers
from harness.audit.pressure import factors, health_by_depth, relaxations, sensitivity
from harness.audit.ranges import SafeRange, candidate, safe_ranges
from harness.audit.result import (
    AuditResult,
    ClassResult,
    FrontierPoint,
    Suggestion,
    VariantResult,
    WorstRun,
)
from harness.audit.trials import Evaluation, Evaluator
from harness.engine import default_engine_name
from harness.errors import ScenarioError
from harness.scenario import BPS, Lending, PerpExchange, Scenario, Stress

__all__ = ["audit", "expected_runs"]

_WORST = 10
_FRONTIER = (
    "ltv",
    "lltv",
    "threshold",
    "supply-cap",
    "borrow-cap",
    "initial-margin",
    "maintenance-margin",
    "open-interest",
)
_CAPS = ("supply-cap", "borrow-cap", "open-interest")
_ATTEMPTS = 6
"""Changes that are re-run in full before it is said that no single one passes."""


def expected_runs(scenario: Scenario, seed: int) -> int:
    """About how many runs an audit will make, for progress."""
    wanted, classes = scenario.audit, len(stresses(scenario))
    candidates = len(levers(scenario, seed)) * (3 + wanted.steps) + 5
    candidates += len(wanted.health) * len(wanted.depth)
    morris = wanted.trajectories * (len(factors(scenario)) + 1)
    return (candidates + morris) * wanted.search_runs + 2 * classes * wanted.runs


def audit(
    scenario: Scenario,
    seed: int = 0,
    *,
    engine: str | None = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] | None = None,
    variants: Sequence[Variant] = (),
    notes: Sequence[str] = (),
) -> AuditResult:
    """Audits the liquidation parameters of a scenario's lending markets and exchanges.

    variants: the scenario at the ends of what its inputs leave open, run in every class
    notes: what the report says of the inputs

    Raises:
        ScenarioError: the scenario has no market with debts against collateral, a crisis
            names what there is not, or no run of the scenario as it is could be made.
        EngineError: an engine failed.
    """
    _require_market(scenario)
    classes = stresses(scenario)
    moved = levers(scenario, seed)
    evaluator = Evaluator(
        engine, executor, expected=expected_runs(scenario, seed), progress=progress
    )
    present = _in_every_class(scenario, classes, seed, evaluator)
    for found in present:
        if found.evaluation.figures is None:
            raise ScenarioError(
                "scenario", scenario.name, f"one that runs: {found.evaluation.failures[0].error}"
            )
    worst = max(present, key=lambda found: found.evaluation.share)
    searched = draws(scenario, worst.stress, scenario.audit.search_runs, seed)
    limit = _limit(scenario, worst.evaluation, searched, evaluator)
    ranges = safe_ranges(scenario, moved, searched, evaluator, limit)
    cells = health_by_depth(scenario, searched, evaluator)
    relaxed = relaxations(scenario, searched, evaluator)
    open_ends = _variants(variants, classes, seed, evaluator)
    indices = sensitivity(scenario, searched, evaluator, seed)
    verdict = _verdict(present)
    suggestion: Suggestion | None = None
    cap: Suggestion | None = None
    refuted: tuple[Suggestion, ...] = ()
    if verdict == "fail":
        suggestion, refuted = _suggest(scenario, ranges, classes, seed, evaluator)
        caps = [found for found in ranges if found.lever.kind in _CAPS]
        cap, more = _suggest(scenario, caps, classes, seed, evaluator)
        known = [(each.lever.path, each.value) for each in refuted]
        refuted += tuple(each for each in more if (each.lever.path, each.value) not in known)
    return AuditResult(
        scenario=scenario,
        seed=seed,
        engine=engine or default_engine_name(),
        verdict=verdict,
        classes=present,
        worst_class=worst.stress.name,
        limit=limit,
        ranges=ranges,
        frontier=_frontier(ranges),
        health_by_depth=cells,
        relaxations=relaxed,
        sensitivity=indices,
        bounds=bounds(scenario, seed, ranges),
        feedback=feedback(scenario, seed),
        suggestion=suggestion,
        cap=cap,
        tried=refuted,
        worst=_worst(present),
        variants=open_ends,
        notes=(*notes, *scenario.warnings),
        runs=evaluator.runs,
    )


def _require_market(scenario: Scenario) -> None:
    markets = scenario.venues_of(Lending)
    lends = any(asset.liquidation_threshold_bps for m in markets for asset in m.assets)
    if not lends and not scenario.venues_of(PerpExchange):
        allowed = "a lending venue with collateral, or a perp-exchange"
        raise ScenarioError("venue", [v.name for v in scenario.venues], allowed)
    if not scenario.populations:
        raise ScenarioError("population", [], "at least one: an audit needs positions")


def _in_every_class(
    scenario: Scenario, classes: Sequence[Stress], seed: int, evaluator: Evaluator
) -> tuple[ClassResult, ...]:
    chosen = [draws(scenario, stress, scenario.audit.runs, seed) for stress in classes]
    found = evaluator.evaluate([(scenario, each) for each in chosen])
    return tuple(ClassResult(stress, each) for stress, each in zip(classes, found, strict=True))


def _variants(
    variants: Sequence[Variant], classes: Sequence[Stress], seed: int, evaluator: Evaluator
) -> tuple[VariantResult, ...]:
    """Every variant in every class, with the runs of a candidate."""
    wanted = [
        (variant, stress, draws(variant.scenario, stress, variant.scenario.audit.search_runs, seed))
        for variant in variants
        for stress in classes
    ]
    found = evaluator.evaluate([(variant.scenario, chosen) for variant, _, chosen in wanted])
    return tuple(
        VariantResult(variant.name, stress.name, each.share if each.figures else None, each.passes)
        for (variant, stress, _), each in zip(wanted, found, strict=True)
    )


def _limit(
    scenario: Scenario, present: Evaluation, searched: Sequence[Draw], evaluator: Evaluator
) -> float:
    """The appetite, moved by the ratio of the few runs' figure to all runs' at the parameters in
    force, where both have one, so that candidates are held to what all runs would say."""
    appetite = scenario.audit.appetite_bps / BPS
    (few,) = evaluator.evaluate([(scenario, searched)])
    if few.figures is None or present.share <= 0:
        return appetite
    return appetite * few.share / present.share


def _verdict(present: Sequence[ClassResult]) -> Literal["pass", "fail", "vacuous"]:
    if not all(found.evaluation.passes for found in present):
        return "fail"
    if not sum(found.evaluation.liquidations for found in present):
        return "vacuous"
    return "pass"


def _suggest(
    scenario: Scenario,
    ranges: Sequence[SafeRange],
    classes: Sequence[Stress],
    seed: int,
    evaluator: Evaluator,
) -> tuple[Suggestion | None, tuple[Suggestion, ...]]:
    """The smallest single change that passes all runs in every class, and those that did not.

    Candidates are the safe values found, the smallest change first, whichever parameter it is of.
    """
    options: list[tuple[float, Lever, float]] = [
        (found.lever.distance(point.value), found.lever, point.value)
        for found in ranges
        for point in found.points
        if point.passes and point.value != found.lever.value
    ]
    options.sort(key=lambda option: option[0])
    refuted: list[Suggestion] = []
    for _, lever, value in options[:_ATTEMPTS]:
        changed = candidate(scenario, lever, value)
        suggestion = Suggestion(
            lever, value, changed, _in_every_class(changed, classes, seed, evaluator)
        )
        if suggestion.passes:
            return suggestion, tuple(refuted)
        refuted.append(suggestion)
    return None, tuple(refuted)


def _frontier(ranges: Sequence[SafeRange]) -> tuple[FrontierPoint, ...]:
    """What was tried of parameters that decide how much is lent."""
    return tuple(
        FrontierPoint(
            parameter=found.lever.name,
            kind=found.lever.kind,
            value=point.value,
            unit=found.lever.unit,
            efficiency=point.efficiency,
            borrowed_usd=point.borrowed_usd,
            share=point.share,
            passes=point.passes,
        )
        for found in ranges
        if found.lever.kind in _FRONTIER
        for point in found.points
        if point.share is not None
        and point.efficiency is not None
        and point.borrowed_usd is not None
    )


def _worst(present: Sequence[ClassResult]) -> tuple[WorstRun, ...]:
    rows = [
        WorstRun(
            stress=found.stress.name,
            seed=draw.seed,
            move=draw.move,
            insolvency_usd=made.loss_usd,
            share=made.loss_usd / made.supplied_usd if made.supplied_usd else 0.0,
            digest=made.digest,
            overrides=tuple(overrides(found.evaluation.scenario, draw)),
        )
        for found in present
        for draw, made in zip(found.evaluation.draws, found.evaluation.records, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: (-row.insolvency_usd, row.seed))[:_WORST])
