"""Rules for liquidation designs, and for those who take part in them."""

from __future__ import annotations

from harness.errors import ScenarioError
from harness.scenario.liquidation import (
    DutchAuctions,
    EnglishAuctions,
    FixedBonus,
    GrowingDiscount,
    LiquidationDesign,
)
from harness.scenario.model import Lending, Liquidator, PooledLending, Scenario
from harness.scenario.participants import Buyer, Trigger

#: Designs in which whoever repays gets the collateral at once.
_AT_ONCE = (FixedBonus, GrowingDiscount)

#: Designs in which somebody starts what others then buy in.
_SOLD_LATER = (DutchAuctions, EnglishAuctions)


def check_modules(scenario: Scenario) -> None:
    """Raises ScenarioError where a design's fields contradict each other, or a participant has no
    part in the design of its venue."""
    for i, venue in enumerate(scenario.venues):
        if isinstance(venue, PooledLending):
            _check_design(venue.liquidation, f"venue[{i}].liquidation")
    for i, agent in enumerate(scenario.agents):
        path = f"agent[{i}]"
        if isinstance(agent, Trigger | Buyer):
            _serves(scenario, agent.venue, f"{path}.venue")
            for j, (start, end) in enumerate(agent.outages.windows):
                if end <= start:
                    where = f"{path}.outages.windows[{j}][1]"
                    raise ScenarioError(where, end, f"an end after the start {start}")
        if isinstance(agent, Buyer):
            symbols = [asset.symbol for asset in scenario.assets]
            for symbol, _ in agent.capital:
                if symbol not in symbols:
                    allowed = f"an asset's symbol: one of {', '.join(symbols)}"
                    raise ScenarioError(f"{path}.capital.{symbol}", symbol, allowed)
        if isinstance(agent, Liquidator):
            for name in agent.serves:
                _liquidates(scenario, name, f"{path}.venue")


def _design_of(scenario: Scenario, name: str) -> LiquidationDesign | None:
    venue = next((venue for venue in scenario.venues if venue.name == name), None)
    if isinstance(venue, PooledLending):
        return venue.liquidation
    return FixedBonus() if isinstance(venue, Lending) else None


def _serves(scenario: Scenario, name: str, path: str) -> None:
    if not isinstance(_design_of(scenario, name), _SOLD_LATER):
        fitting = [
            venue.name
            for venue in scenario.venues_of(PooledLending)
            if isinstance(venue.liquidation, _SOLD_LATER)
        ]
        allowed = ", ".join(fitting) or "(there are none)"
        raise ScenarioError(path, name, f"a venue that liquidates by auction: one of {allowed}")


def _liquidates(scenario: Scenario, name: str, path: str) -> None:
    design = _design_of(scenario, name)
    if design is not None and not isinstance(design, _AT_ONCE):
        allowed = f"a venue without {design.tag_value()}, where kinds trigger and buyer take part"
        raise ScenarioError(path, name, allowed)


def _check_design(design: LiquidationDesign, path: str) -> None:
    if not isinstance(design, DutchAuctions):
        return
    if design.limit_per_collateral_usd < design.dust_usd:
        allowed = f"at least dust_usd {design.dust_usd:g}"
        raise ScenarioError(
            f"{path}.limit_per_collateral_usd", design.limit_per_collateral_usd, allowed
        )
    if design.limit_usd < design.dust_usd:
        allowed = f"at least dust_usd {design.dust_usd:g}"
        raise ScenarioError(f"{path}.limit_usd", design.limit_usd, allowed)
    if design.flat_incentive_usd and design.dust_usd < 2 * design.flat_incentive_usd:
        # whoever owes dust and triggers himself would be paid for it
        allowed = f"at most half of dust_usd {design.dust_usd:g}"
        raise ScenarioError(f"{path}.flat_incentive_usd", design.flat_incentive_usd, allowed)
