"""What an audit comes to, as data and as one JSON object."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from harness.audit.bounds import Bound
from harness.audit.draws import overrides
from harness.audit.feedback import Feedback
from harness.audit.lever import Lever
from harness.audit.pressure import Relaxation, Sensitivity
from harness.audit.ranges import SafeRange
from harness.audit.trials import Evaluation
from harness.scenario import BPS, Scenario, Stress

__all__ = ["AuditResult", "ClassResult", "FrontierPoint", "Suggestion", "VariantResult", "WorstRun"]


@dataclass(frozen=True)
class ClassResult:
    """A class of crises and what its runs came to."""

    stress: Stress
    evaluation: Evaluation


@dataclass(frozen=True)
class FrontierPoint:
    """What a value of a parameter earns and what it risks.

    efficiency: debts / collateral value; borrowed_usd: all debts; share: ES / supply
    """

    parameter: str
    kind: str
    value: float
    unit: str
    efficiency: float
    borrowed_usd: float
    share: float
    passes: bool


@dataclass(frozen=True)
class Suggestion:
    """A change of one parameter, re-run in every class with all runs of the verdict."""

    lever: Lever
    value: float
    scenario: Scenario
    classes: tuple[ClassResult, ...]

    @property
    def passes(self) -> bool:
        """Whether the appetite is met in every class."""
        return all(each.evaluation.passes for each in self.classes)


@dataclass(frozen=True)
class WorstRun:
    """A run with its crisis and the command that repeats it."""

    stress: str
    seed: int
    move: float
    insolvency_usd: float
    share: float
    digest: str
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class VariantResult:
    """Expected shortfall / supply at an end of what the inputs leave open, in a class of crises."""

    name: str
    stress: str
    share: float | None
    passes: bool


@dataclass(frozen=True)
class AuditResult:
    """A finished audit.

    verdict: ``vacuous`` where nothing was liquidated in any run, which proves nothing
    classes: every class of crises with the parameters as they are
    worst_class: the one with the largest expected shortfall; ranges are found in it
    limit: expected shortfall / supply that candidates may have in their few runs: the appetite,
        moved by the ratio of the few runs' figure to all runs' at the parameters in force
    suggestion: for a failed audit, the smallest single change that passes, or None
    cap: for a failed audit, the smallest change of a cap alone that passes, or None
    tried: for a failed audit, changes that were re-run and did not pass
    """

    scenario: Scenario
    seed: int
    engine: str
    verdict: Literal["pass", "fail", "vacuous"]
    classes: tuple[ClassResult, ...]
    worst_class: str
    limit: float
    ranges: tuple[SafeRange, ...]
    frontier: tuple[FrontierPoint, ...]
    health_by_depth: tuple[tuple[float | None, ...], ...]
    relaxations: tuple[Relaxation, ...]
    sensitivity: Sensitivity
    bounds: tuple[Bound, ...]
    feedback: tuple[Feedback, ...]
    suggestion: Suggestion | None
    cap: Suggestion | None
    tried: tuple[Suggestion, ...]
    worst: tuple[WorstRun, ...]
    variants: tuple[VariantResult, ...]
    notes: tuple[str, ...]
    runs: int

    @property
    def binds(self) -> Relaxation | None:
        """The constraint whose relaxation takes most off; None if none takes anything off."""
        base = self.relaxations[0].share if self.relaxations else None
        known = [r for r in self.relaxations[1:-1] if r.share is not None]
        if not base or not known:
            return None
        best = min(known, key=lambda r: r.share or 0.0)
        return best if best.share is not None and best.share < base * 0.99 else None

    def as_json(self) -> dict[str, Any]:
        """One object of plain values."""
        return {
            "schema": 1,
            "scenario": self.scenario.name,
            "seed": self.seed,
            "engine": self.engine,
            "verdict": self.verdict,
            "appetite": {
                "level": self.scenario.audit.level,
                "expected_shortfall_bps": self.scenario.audit.appetite_bps,
            },
            "runs": self.runs,
            "worst_class": self.worst_class,
            "limit_of_search_bps": _bps(self.limit),
            "classes": [_class(each) for each in self.classes],
            "suggestion": _suggestion(self.suggestion),
            "cap": _suggestion(self.cap),
            "tried": [_suggestion(each) for each in self.tried],
            "ranges": [_range(each) for each in self.ranges],
            "frontier": [
                {
                    "parameter": p.parameter,
                    "value": p.value,
                    "unit": p.unit,
                    "capital_efficiency": p.efficiency,
                    "borrowed_usd": p.borrowed_usd,
                    "expected_shortfall_bps": _bps(p.share),
                    "passes": p.passes,
                }
                for p in self.frontier
            ],
            "health_by_depth": {
                "health": list(self.scenario.audit.health),
                "depth": list(self.scenario.audit.depth),
                "expected_shortfall_bps": [[_bps(c) for c in row] for row in self.health_by_depth],
            },
            "variants": [
                {
                    "name": v.name,
                    "class": v.stress,
                    "expected_shortfall_bps": _bps(v.share),
                    "passes": v.passes,
                }
                for v in self.variants
            ],
            "relaxations": [
                {
                    "constraint": r.constraint,
                    "meaning": r.meaning,
                    "expected_shortfall_bps": _bps(r.share),
                }
                for r in self.relaxations
            ],
            "binds": None if self.binds is None else self.binds.constraint,
            "sensitivity": {
                "method": "Morris elementary effects on expected shortfall, bps of supply",
                "note": self.sensitivity.note,
                "indices": [
                    {
                        "factor": i.factor,
                        "low": i.low,
                        "high": i.high,
                        "mu_star_bps": _bps(i.mu_star),
                        "sigma_bps": _bps(i.sigma),
                        "confidence_bps": _bps(i.confidence),
                    }
                    for i in self.sensitivity.indices
                ],
            },
            "bounds": [
                {
                    "parameter": b.parameter,
                    "path": b.path,
                    "unit": b.unit,
                    "form": b.form,
                    "premise": b.premise,
                    "closed_form": b.closed_form,
                    "simulated": b.simulated,
                    "open_ended": b.open_ended,
                    "difference": b.difference,
                }
                for b in self.bounds
            ],
            "feedback": [
                {
                    "market": f.market,
                    "asset": f.symbol,
                    "branching_ratio": f.ratio,
                    "k": f.k,
                    "density": f.density,
                    "reserve": f.reserve,
                    "move": f.move,
                }
                for f in self.feedback
            ],
            "worst_runs": [
                {
                    "class": w.stress,
                    "seed": w.seed,
                    "move": w.move,
                    "insolvency_usd": w.insolvency_usd,
                    "digest": w.digest,
                    "set": list(w.overrides),
                }
                for w in self.worst
            ],
            "assumptions": list(self.scenario.assumptions),
            "limitations": list(self.scenario.limitations),
            "notes": list(self.notes),
        }


def _bps(share: float | None) -> float | None:
    return None if share is None or not math.isfinite(share) else share * BPS


def _class(found: ClassResult) -> dict[str, Any]:
    evaluation = found.evaluation
    figures = evaluation.figures
    return {
        "name": found.stress.name,
        "kind": found.stress.kind,
        "assets": list(found.stress.assets),
        "threshold": found.stress.threshold,
        "mean_excess": found.stress.mean_excess,
        "passes": evaluation.passes,
        "expected_shortfall_bps": _bps(evaluation.share),
        "figures": None if figures is None else figures.as_json(),
        "failures": [{"seed": f.seed, "error": f.error} for f in evaluation.failures],
        "violated": list(evaluation.violated),
        "trials": [
            {
                "seed": draw.seed,
                "weight": draw.weight,
                "move": draw.move,
                "set": overrides(evaluation.scenario, draw),
                "insolvency_usd": made.loss_usd,
                "insured_usd": made.insured_usd,
                "liquidated_usd": made.liquidated_usd,
                "liquidations": made.liquidations,
                "digest": made.digest,
            }
            for draw, made in zip(evaluation.draws, evaluation.records, strict=True)
        ],
    }


def _suggestion(found: Suggestion | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "parameter": found.lever.name,
        "path": found.lever.path,
        "unit": found.lever.unit,
        "from": found.lever.value,
        "to": found.value,
        "passes": found.passes,
        "classes": [
            {
                "name": each.stress.name,
                "passes": each.evaluation.passes,
                "expected_shortfall_bps": _bps(each.evaluation.share),
                "figures": None
                if each.evaluation.figures is None
                else each.evaluation.figures.as_json(),
            }
            for each in found.classes
        ],
    }


def _range(found: SafeRange) -> dict[str, Any]:
    lever = found.lever
    return {
        "parameter": lever.name,
        "path": lever.path,
        "unit": lever.unit,
        "value": lever.value,
        "present_passes": found.present_passes,
        "low": found.low,
        "high": found.high,
        "low_is_end_of_examined": found.low_open,
        "high_is_end_of_examined": found.high_open,
        "nearest_safe": found.nearest,
        "points": [
            {
                "value": p.value,
                "passes": p.passes,
                "expected_shortfall_bps": _bps(p.share),
                "borrowed_usd": p.borrowed_usd,
                "capital_efficiency": p.efficiency,
                "error": p.error or None,
            }
            for p in found.points
        ],
    }
