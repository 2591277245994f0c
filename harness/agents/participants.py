"""Which agent takes which part in which liquidation design."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.agents.auctions import DutchBuyer, DutchTrigger, EnglishBidder, EnglishTrigger
from harness.agents.backstops import Absorber, DepositorAgent, PoolTrigger, StoreBuyer
from harness.agents.base import Agent, Context
from harness.scenario import (
    AbsorbAndSell,
    Buyer,
    Depositor,
    DutchAuctions,
    EnglishAuctions,
    LiquidationDesign,
    PooledLending,
    StabilityDeposits,
    Trigger,
)

Part = Callable[[Any, int, Context], Agent]

_PARTS: Mapping[tuple[type[LiquidationDesign], type], Part] = {
    (DutchAuctions, Trigger): DutchTrigger,
    (DutchAuctions, Buyer): DutchBuyer,
    (EnglishAuctions, Trigger): EnglishTrigger,
    (EnglishAuctions, Buyer): EnglishBidder,
    (AbsorbAndSell, Trigger): Absorber,
    (AbsorbAndSell, Buyer): StoreBuyer,
    (StabilityDeposits, Trigger): PoolTrigger,
    (StabilityDeposits, Depositor): DepositorAgent,
}


def participant(spec: Trigger | Buyer | Depositor, index: int, context: Context) -> Agent:
    """Participant number ``index`` of the ``count`` that a scenario asks for.

    Raises KeyError for a design in which it has no part, which validation refuses.
    """
    design = context.scenario.venue_as(PooledLending, spec.venue).liquidation
    return _PARTS[type(design), type(spec)](spec, index, context)
