"""A deployed liquidation module."""

from __future__ import annotations

from dataclasses import dataclass

from harness.contracts import Contract
from harness.scenario.liquidation import LiquidationDesign


@dataclass(frozen=True, slots=True)
class ModuleHandle:
    """The contracts of one market's module.

    Attributes:
        design: what the scenario asks for.
        contract: the module, which the market obeys.
        lens: reads modules of every kind.
        trigger: what starts its auctions, if that is a contract of its own.
        executor: buys from it and sells on, if anybody can buy from it.
        depositors: those who stand ready in a stability pool.

    """

    design: LiquidationDesign
    contract: Contract
    lens: Contract
    trigger: Contract | None = None
    executor: Contract | None = None
    depositors: tuple[bytes, ...] = ()
