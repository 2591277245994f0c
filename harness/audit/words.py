"""The findings of an audit in words, for the terminal, the Markdown and the page alike."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

from harness.audit.feedback import Feedback
from harness.audit.lever import Lever
from harness.audit.ranges import SafeRange
from harness.audit.result import AuditResult, ClassResult, Suggestion, WorstRun
from harness.report.figures import about, duration, percent, plural
from harness.scenario import BPS, IsolatedLending, PerpExchange

__all__ = [
    "ASSUMPTIONS",
    "EXCHANGE_ASSUMPTIONS",
    "ISOLATED_ASSUMPTIONS",
    "LIMITATIONS",
    "appetite",
    "binding",
    "bps",
    "cap",
    "class_meaning",
    "difference",
    "feedback",
    "headline",
    "replay",
    "safe",
    "suggestion",
    "value",
    "verdict",
]

ASSUMPTIONS = (
    "When a threshold changes, holders keep their health factors and the LTV stays as far below "
    "it; when the LTV changes, they keep the share they use of what they may borrow; at a cap the "
    "market is filled up to it, accounts growing or shrinking alike.",
    "Crises are drawn with a log move of a threshold plus an exponential excess, as stated for "
    "each class: figures hold given a crisis of at least the threshold, not on an ordinary day.",
    "Runs are drawn in strata, more of them in the tail, and weighted back; every value of a "
    "parameter meets the same draws.",
)
EXCHANGE_ASSUMPTIONS = (
    "On an exchange: traders keep the share they use of the leverage they may take when margins "
    "change; losses count beyond what the insurance fund pays; supply is the equity of vault and "
    "fund, debt / collateral the traders' leverage, borrow usage their share of the largest.",
)
ISOLATED_ASSUMPTIONS = (
    "In an isolated market holders keep their health factors when the LLTV changes; its incentive "
    "follows from the LLTV and is not relaxed alone, and it has no caps and no close factor.",
)
LIMITATIONS = (
    "Safe ranges are of one parameter at a time, the others as they are, in the worst class of "
    "crises, from few runs; the change that is suggested is re-run in every class with all runs.",
    "What lies between two neighbouring values tried is not seen; near the limit the ends of "
    "ranges are as noisy as few runs are.",
    "A bootstrap interval cannot see beyond the worst run: read it with the number of runs in the "
    "tail.",
)


def value(amount: float, unit: str) -> str:
    """A parameter's value with its unit."""
    if unit == "bps":
        return percent(amount / BPS, 2)
    if unit == "s":
        return duration(round(amount))
    return f"{amount:,.4g} {unit}" if amount < 1e4 else f"{amount:,.0f} {unit}"


def bps(share: float | None) -> str:
    """A share of what is supplied in bps; an infinite one could not be run."""
    if share is None or not math.isfinite(share):
        return "not run"
    return f"{share * BPS:,.{2 if share * BPS < 100 else 0}f} bps"


def appetite(result: AuditResult) -> str:
    """The risk appetite in a clause."""
    wanted = result.scenario.audit
    return (
        f"expected shortfall at {wanted.level * 100:g}% of "
        f"at most {wanted.appetite_bps:g} bps of what is supplied, in every class of crises"
    )


def assumptions(result: AuditResult) -> tuple[str, ...]:
    """What the audit takes to be so, then what the scenario does."""
    isolated = ISOLATED_ASSUMPTIONS if result.scenario.venues_of(IsolatedLending) else ()
    exchanges = EXCHANGE_ASSUMPTIONS if result.scenario.venues_of(PerpExchange) else ()
    return (*ASSUMPTIONS, *isolated, *exchanges, *result.scenario.assumptions)


def headline(result: AuditResult) -> str:
    """The verdict in a word or two."""
    return {"pass": "PASS", "fail": "FAIL", "vacuous": "NOTHING PROVED"}[result.verdict]


def verdict(result: AuditResult) -> str:
    """The verdict in a sentence."""
    if result.verdict == "vacuous":
        return (
            "No run liquidated anything: the crises are too mild or the positions too safe for "
            "this audit to prove anything."
        )
    worst = next(c for c in result.classes if c.stress.name == result.worst_class)
    shortfall = worst.evaluation.shortfall_usd
    said = (
        f"expected shortfall is {bps(worst.evaluation.share)} of what is supplied "
        f"({about(shortfall)}) in the worst class of crises, {worst.stress.name}, where at most "
        f"{result.scenario.audit.appetite_bps:g} bps are accepted."
    )
    if result.verdict == "pass":
        return "The parameters pass: " + said
    violated = sorted({name for c in result.classes for name in c.evaluation.violated})
    failures = sum(len(c.evaluation.failures) for c in result.classes)
    more = f" Invariants violated: {', '.join(violated)}." if violated else ""
    more += f" {plural(failures, 'run')} could not be made." if failures else ""
    return "The parameters fail: " + said + more


def suggestion(result: AuditResult) -> str:
    """What to change, in a sentence; empty for a passed audit."""
    if result.verdict != "fail":
        return ""
    found = result.suggestion
    if found is None:
        return (
            "No single change among the values tried passes with all runs: more than one "
            "parameter must change."
        )
    return (
        f"Smallest single change that passes: {found.lever.name} from "
        f"{value(found.lever.value, found.lever.unit)} to {value(found.value, found.lever.unit)}. "
        f"Re-run with it, expected shortfall is {_after(found)}."
    )


def cap(found: Suggestion | None) -> str:
    """The cap that passes, in a sentence; empty without one."""
    if found is None:
        return ""
    unit = found.lever.unit
    return (
        f"The cap that passes by itself: {found.lever.name} at {value(found.value, unit)}, where "
        f"{value(found.lever.value, unit)} are in force or in use. Re-run with it, expected "
        f"shortfall is {_after(found)}."
    )


def _after(found: Suggestion) -> str:
    return ", ".join(f"{bps(c.evaluation.share)} in {c.stress.name}" for c in found.classes)


def class_meaning(found: ClassResult) -> str:
    """What happens in a class of crises."""
    stress = found.stress
    if stress.kind == "as-is":
        return "prices as the scenario has them"
    named = ", ".join(stress.assets)
    least, mean = percent(1 - math.exp(-stress.threshold)), percent(stress.mean_excess)
    if stress.kind == "downturn":
        fall = "fall together" if len(stress.assets) > 1 else "falls"
        return f"{named} {fall} by {least} or more; log excess {mean} in the mean"
    way = {"down": "down", "up": "up", "either": "up or down"}[stress.direction]
    one = f"one of {named}" if len(stress.assets) > 1 else named
    return f"{one} leaves its reference {way} by {least} or more; log excess {mean} in the mean"


def search(result: AuditResult) -> str:
    """How ranges were found, in a sentence or two."""
    wanted = result.scenario.audit
    said = f"One parameter at a time, in {result.worst_class}, {wanted.search_runs} runs of each."
    worst = next(c for c in result.classes if c.stress.name == result.worst_class)
    few, all_ = result.relaxations[0].share, worst.evaluation.share
    if not few or not all_:
        return said
    return (
        f"{said} These few runs give {bps(few)} at the parameters in force, all runs {bps(all_)}: "
        f"values are held to {bps(result.limit)}, which is the appetite in that proportion."
    )


def safe(found: SafeRange) -> str:
    """A safe range in a clause."""
    if found.low is None or found.high is None:
        return "no value tried is safe"
    unit = found.lever.unit
    if found.low_open and found.high_open:
        return f"all tried: {value(found.low, unit)} to {value(found.high, unit)}"
    if found.low_open:
        return f"up to {value(found.high, unit)}"
    if found.high_open:
        return f"from {value(found.low, unit)}"
    return f"{value(found.low, unit)} to {value(found.high, unit)}"


def status(found: SafeRange) -> str:
    """Whether the value in force is safe."""
    return "safe" if found.present_passes else "unsafe"


def present(lever: Lever) -> str:
    """The value in force."""
    return value(lever.value, lever.unit)


def binding(result: AuditResult) -> str:
    """What binds, in a sentence."""
    base = result.relaxations[0].share
    if not base:
        return "Nothing binds: there is no expected shortfall to take off."
    last = result.relaxations[-1].share
    rest = "" if last is None else f" With all four relaxed, {bps(last)} of {bps(base)} are left."
    found = result.binds
    if found is None or found.share is None:
        return "None of the four constraints binds: leverage and the crisis itself do." + rest
    off = percent(1 - found.share / base, 0)
    if last is not None and last > base / 2:
        said = f"of the four constraints {found.constraint} takes most off, {off}."
        return f"Mostly leverage and the crisis itself bind; {said}{rest}"
    return f"{found.constraint.capitalize()} binds: relaxed alone, it takes {off} off.{rest}"


def difference(relative: float | None, *, open_ended: bool) -> str:
    """By how much the runs' bound differs from the formula's."""
    if relative is None:
        return "\u2013"
    text = percent(relative, 0, signed=True)
    return f"{text} or more" if open_ended else text


def feedback(found: Feedback) -> str:
    """What one liquidation causes by the closed form, in two sentences."""
    symbol = found.symbol
    return (
        f"One liquidation of {symbol} in {found.market} causes {found.ratio:,.3g} others by the "
        f"closed form 2kG/x, and would cause one at {found.ratio:,.3g} times the depth. It "
        "supposes that all depth is one pool whose spot is the oracle: k, threshold x (1+b), is "
        f"{found.k:.3f}; G, what falls due for each unit of log price in a log fall of "
        f"{found.move:.3f}, {found.density:,.0f} {symbol}; x, the reserve after it, "
        f"{found.reserve:,.0f} {symbol}."
    )


def replay(run: WorstRun, scenario: Path) -> str:
    """The command that repeats a run, its books and digest included."""
    words = ["harness", "run", str(scenario), "--seed", str(run.seed)]
    for override in run.overrides:
        words += ["--set", override]
    return shlex.join(words)
