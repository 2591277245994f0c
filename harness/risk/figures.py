"""Risk figures in the terms risk teams use, from the records of many runs.

A record (:class:`RunRecord`) holds what a run came to, read from its traces. What the figures mean:

insolvency: bad debt + market shortfall at the end of a run, less what an insurance fund paid of it;
    its distribution, value at risk and expected shortfall are over runs
LaR, liquidations at risk: the 95th percentile of the debt repaid in liquidations
probability of insolvency: of more than 1 bp of what is supplied
loss given insolvency: mean insolvency of the runs that have one
days of interest to cover it: expected shortfall / what borrowers pay a day at the start's rates
borrow usage: debts / (collateral x LTV) at the start, Gauntlet's measure
capital efficiency: debts / collateral value at the start; what parameters and holders make of a
    dollar of collateral
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.cuts import UNCUT
from harness.engine import default_engine, open_engine
from harness.metrics import summary
from harness.metrics.summary import usd
from harness.risk.tail import Estimate, Tail, proportion, tail, value_at_risk
from harness.run import Stage
from harness.scenario import BPS, RAY, Lending, Scenario
from harness.trace import Trace
from harness.world import World

__all__ = ["LEVELS", "RiskFigures", "RunRecord", "record", "risk_figures", "run_record"]

LEVELS = (0.95, 0.99)
LIQUIDATIONS_LEVEL = 0.95
INSOLVENT_BPS = 1
"""A run is insolvent above this share of what is supplied."""

_HALF = (1 << 128) - 1
_DAYS = 365


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What one run came to; USD but for counts. ``seed`` and ``digest`` say which run it was.

    supplied_usd, collateral_usd, borrowed_usd, allowed_usd: at the start, at the market's prices:
        all claims, claims of accounts that owe something, debts, and those claims x LTV
    interest_usd_per_day: what borrowers pay a day at the start's rates

    Of an exchange: insured_usd is what its insurance fund paid of the insolvency; supplied are
    equity of vault and fund, collateral the equity of traders with positions, borrowed their
    notional, allowed what their equity could carry at the initial margin.
    """

    seed: int
    digest: str
    insolvency_usd: float
    insured_usd: float
    bad_debt_usd: float
    liquidated_usd: float
    liquidations: int
    supplied_usd: float
    collateral_usd: float
    borrowed_usd: float
    allowed_usd: float
    interest_usd_per_day: float
    violated: tuple[str, ...]

    @property
    def loss_usd(self) -> float:
        """Insolvency beyond what an insurance fund paid, which is there to pay."""
        return max(0.0, self.insolvency_usd - self.insured_usd)

    @property
    def insolvent(self) -> bool:
        """Whether the loss is above 1 bp of what is supplied."""
        return self.loss_usd * BPS > INSOLVENT_BPS * self.supplied_usd


def run_record(scenario: Scenario, seed: int, engine: str | None = None) -> RunRecord:
    """Runs a scenario without its twin, which no risk figure needs: the record and the digest are
    those of `harness.run.run` in half the time.

    Raises:
        ScenarioError: the scenario cannot be set up.
        EngineError: the engine failed.
    """
    opened = open_engine(engine) if engine else default_engine()
    try:
        stage = Stage(scenario, seed, opened)
        return record(scenario, seed, stage.world, stage.play(UNCUT, keep=True))
    finally:
        opened.close()


def record(scenario: Scenario, seed: int, world: World, trace: Trace) -> RunRecord:
    """The record of a pass: the losses at its end, and the books of its markets at the start."""
    solvency = summary.solvency(trace, world)
    insured = sum(
        venue.get("carried_by_insurance_usd", 0.0) for venue in solvency["by_venue"].values()
    )
    liquidations = summary.liquidations(trace, world, scenario)
    supplied = collateral = owed = allowed = interest = 0
    for spec in scenario.venues_of(Lending):
        venue, census = world.venues[spec.name], trace.opening[spec.name]
        states = trace.blocks[0].venues[spec.name].states
        units = [10**places for places in venue.decimals]
        for state, unit in zip(states, units, strict=True):
            supplied += state.total_claims * state.price_wad // unit
        for first in range(0, len(census.balances), census.width):
            words = census.balances[first : first + census.width]
            if not any(word & _HALF for word in words):
                continue
            for place, word in enumerate(words):
                price, unit = states[place].price_wad, units[place]
                held = (word >> 128) * price // unit
                collateral += held
                allowed += held * spec.assets[place].ltv_bps
                owed += (word & _HALF) * price // unit
        for place, listing in enumerate(spec.assets):
            state = states[place]
            debt = state.total_debt * state.price_wad // units[place]
            lendable = state.cash + state.total_debt
            used = state.total_debt / lendable if lendable else 0.0
            rate = _rate(used, listing.base_rate, listing.slope1, listing.slope2, listing.kink)
            interest += debt * int(rate * RAY) // (RAY * _DAYS)
    for name, exchange in world.exchanges.items():
        start, opened = trace.blocks[0].exchanges[name], trace.exchange_opening[name]
        price = start.prices[-1]  # of the settlement token
        supplied += (start.books.vault_equity + start.insurance_equity) * price // exchange.unit
        for worth in opened.worth:
            if worth.notional:
                collateral += worth.full_equity * price // exchange.unit
                owed += worth.notional * price // exchange.unit
                most = worth.full_equity * worth.notional // max(1, worth.initial_margin)
                allowed += most * price * BPS // exchange.unit
    return RunRecord(
        seed=seed,
        digest="0x" + trace.digest.hex(),
        insolvency_usd=solvency["insolvency_usd"],
        insured_usd=insured,
        bad_debt_usd=solvency["bad_debt_usd"],
        liquidated_usd=liquidations["repaid_usd"],
        liquidations=liquidations["count"],
        supplied_usd=usd(supplied),
        collateral_usd=usd(collateral),
        borrowed_usd=usd(owed),
        allowed_usd=usd(allowed // BPS),
        interest_usd_per_day=usd(interest),
        violated=tuple(name for name, holds in trace.invariants.items() if not holds),
    )


def _rate(used: float, base: float, slope1: float, slope2: float, kink: float) -> float:
    """The yearly borrow rate at a utilisation, as the market's two-slope model has it."""
    if used <= kink:
        return base + slope1 * used / kink
    return base + slope1 + slope2 * (used - kink) / (1 - kink)


@dataclass(frozen=True, slots=True)
class RiskFigures:
    """Figures of many runs; see the module. Means are weighted as the runs are.

    tails: value at risk and expected shortfall of insolvency, by level
    loss_given_insolvency_usd, interest_days, borrow_usage, capital_efficiency: None where they
        are not defined
    """

    runs: int
    mean_insolvency_usd: float
    worst_insolvency_usd: float
    tails: tuple[Tail, ...]
    liquidations_at_risk_usd: float
    probability_of_insolvency: Estimate
    loss_given_insolvency_usd: float | None
    interest_days: float | None
    supplied_usd: float
    borrowed_usd: float
    borrow_usage: float | None
    capital_efficiency: float | None

    def at(self, level: float) -> Tail:
        """The tail at one of the levels. Raises KeyError for another."""
        for found in self.tails:
            if found.level == level:
                return found
        raise KeyError(level)

    def as_json(self) -> dict[str, Any]:
        """Plain values; intervals as [value, low, high]."""
        content = asdict(self)
        content["tails"] = [
            {
                "level": found.level,
                "value_at_risk_usd": list(found.value_at_risk),
                "expected_shortfall_usd": list(found.expected_shortfall),
                "runs_in_tail": found.runs,
            }
            for found in self.tails
        ]
        content["probability_of_insolvency"] = list(self.probability_of_insolvency)
        return content


def risk_figures(
    records: Sequence[RunRecord],
    levels: Sequence[float] = LEVELS,
    weights: Sequence[float] | None = None,
    strata: Sequence[int] | None = None,
) -> RiskFigures:
    """The risk figures of runs.

    levels: of value at risk and expected shortfall; interest is set against the last of them
    weights: probabilities of the runs up to a factor; by default all the same
    strata: what each run was drawn from, resampled apart; by default all one

    Raises ValueError if there is no run.
    """
    if not records:
        raise ValueError("no runs")
    shares = [1.0] * len(records) if weights is None else list(weights)
    total = sum(shares)

    def mean(values: Sequence[float]) -> float:
        return sum(v * w for v, w in zip(values, shares, strict=True)) / total

    losses = [each.loss_usd for each in records]
    insolvent = [each.insolvent for each in records]
    tails = tuple(tail(losses, level, weights, strata, name="insolvency") for level in levels)
    hit = sum(w for w, failed in zip(shares, insolvent, strict=True) if failed)
    lost = sum(
        loss * w for loss, w, failed in zip(losses, shares, insolvent, strict=True) if failed
    )
    interest = mean([each.interest_usd_per_day for each in records])
    borrowed = mean([each.borrowed_usd for each in records])
    allowed = mean([each.allowed_usd for each in records])
    collateral = mean([each.collateral_usd for each in records])
    return RiskFigures(
        runs=len(records),
        mean_insolvency_usd=mean(losses),
        worst_insolvency_usd=max(losses),
        tails=tails,
        liquidations_at_risk_usd=value_at_risk(
            [each.liquidated_usd for each in records], LIQUIDATIONS_LEVEL, weights
        ),
        probability_of_insolvency=proportion(insolvent, weights),
        loss_given_insolvency_usd=lost / hit if hit else None,
        interest_days=tails[-1].expected_shortfall.value / interest if interest else None,
        supplied_usd=mean([each.supplied_usd for each in records]),
        borrowed_usd=borrowed,
        borrow_usage=borrowed / allowed if allowed else None,
        capital_efficiency=borrowed / collateral if collateral else None,
    )
