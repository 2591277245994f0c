"""Rules for liquidation designs, and for those who take part in them."""

from __future__ import annotations

from collections.abc import Mapping

from harness.errors import ScenarioError
from harness.scenario._decode import require_built_in
from harness.scenario.agents import Agent, InventoryLiquidator, Liquidator
from harness.scenario.assets import check_some
from harness.scenario.liquidation import (
    AbsorbAndSell,
    DutchAuctions,
    EnglishAuctions,
    ExponentialCurve,
    FixedBonus,
    GrowingDiscount,
    LinearCurve,
    LiquidationDesign,
    StabilityDeposits,
    StepCurve,
)
from harness.scenario.model import Scenario
from harness.scenario.participants import Buyer, Depositor, Trigger
from harness.scenario.venues import Lending, PooledLending

#: Designs that set-up has contracts for.
_DEPLOYED = (
    FixedBonus,
    GrowingDiscount,
    DutchAuctions,
    EnglishAuctions,
    AbsorbAndSell,
    StabilityDeposits,
)

#: Designs in which whoever repays gets the collateral at once.
_AT_ONCE = (FixedBonus, GrowingDiscount)

#: The designs in which each kind of participant has a part.
_PARTS: Mapping[type[Agent], tuple[type[LiquidationDesign], ...]] = {
    Trigger: (DutchAuctions, EnglishAuctions, AbsorbAndSell, StabilityDeposits),
    Buyer: (DutchAuctions, EnglishAuctions, AbsorbAndSell),
    Depositor: (StabilityDeposits,),
}


def check_modules(scenario: Scenario) -> None:
    """Raises ScenarioError where a design's fields contradict each other, or a participant has no
    part in the design of its venue."""
    for i, venue in enumerate(scenario.venues):
        if isinstance(venue, PooledLending):
            _check_design(scenario, venue, f"venue[{i}].liquidation")
    for i, agent in enumerate(scenario.agents):
        path = f"agent[{i}]"
        if isinstance(agent, Trigger | Buyer | Depositor):
            _serves(scenario, agent, f"{path}.venue")
        if isinstance(agent, Liquidator):
            for name in agent.serves:
                _liquidates(scenario, name, _AT_ONCE, f"{path}.venue")
        if isinstance(agent, InventoryLiquidator):
            _liquidates(scenario, agent.venue, (FixedBonus,), f"{path}.venue")


def _design_of(scenario: Scenario, name: str) -> LiquidationDesign | None:
    venue = next((venue for venue in scenario.venues if venue.name == name), None)
    if isinstance(venue, PooledLending):
        return venue.liquidation
    return FixedBonus() if isinstance(venue, Lending) else None


def _serves(scenario: Scenario, agent: Trigger | Buyer | Depositor, path: str) -> None:
    designs = _PARTS[type(agent)]
    if not isinstance(_design_of(scenario, agent.venue), designs):
        fitting = [
            venue.name
            for venue in scenario.venues_of(PooledLending)
            if isinstance(venue.liquidation, designs)
        ]
        kinds = ", ".join(design.kind_name for design in designs)
        allowed = f"a venue that liquidates by {kinds}: one of {', '.join(fitting) or '(none)'}"
        raise ScenarioError(path, agent.venue, allowed)


def _liquidates(
    scenario: Scenario, name: str, designs: tuple[type[LiquidationDesign], ...], path: str
) -> None:
    design = _design_of(scenario, name)
    if design is not None and not isinstance(design, designs):
        kinds = " or ".join(kind.kind_name for kind in designs)
        allowed = f"a venue that liquidates by {kinds}, not by {design.tag_value()}"
        raise ScenarioError(path, name, allowed)


def _check_design(scenario: Scenario, venue: PooledLending, path: str) -> None:
    design = venue.liquidation
    require_built_in(design, _DEPLOYED, path)
    if isinstance(design, DutchAuctions):
        require_built_in(design.curve, (StepCurve, LinearCurve, ExponentialCurve), f"{path}.curve")
        _check_dutch(design, path)
    listed = {asset.symbol: asset.liquidation_threshold_bps for asset in venue.assets}
    if isinstance(design, EnglishAuctions):
        for symbol, threshold in listed.items():
            if threshold:
                check_some(design.largest_lot, scenario.asset(symbol), f"{path}.largest_lot")
    named: dict[str, str] = {}
    if isinstance(design, AbsorbAndSell):
        named = {"base": design.base}
    elif isinstance(design, StabilityDeposits):
        named = {"collateral": design.collateral, "debt": design.debt}
        if design.collateral == design.debt:
            raise ScenarioError(f"{path}.debt", design.debt, "not the collateral")
    for field, symbol in named.items():
        if symbol not in listed:
            allowed = f"listed in {venue.name}: one of {', '.join(listed)}"
            raise ScenarioError(f"{path}.{field}", symbol, allowed)
    if isinstance(design, AbsorbAndSell) and listed[design.base]:
        allowed = f"an asset that is no collateral; {design.base} has a liquidation threshold"
        raise ScenarioError(f"{path}.base", design.base, allowed)


def _check_dutch(design: DutchAuctions, path: str) -> None:
    for field in ("limit_per_collateral_usd", "limit_usd"):
        limit = getattr(design, field)
        if limit < design.dust_usd:
            allowed = f"at least dust_usd {design.dust_usd:g}"
            raise ScenarioError(f"{path}.{field}", limit, allowed)
    if design.flat_incentive_usd and design.dust_usd < 2 * design.flat_incentive_usd:
        # whoever owes dust and triggers himself would be paid for it
        allowed = f"at most half of dust_usd {design.dust_usd:g}"
        raise ScenarioError(f"{path}.flat_incentive_usd", design.flat_incentive_usd, allowed)
