"""Participants: they read the world after a block and return orders for the next.

An agent changes nothing itself. It decides in integers, and what it draws is keyed by what it is
for, so that its decisions do not depend on who else acts or in which order.
"""

from harness.agents.arbitrageur import ArbitrageurAgent
from harness.agents.base import Agent, Context, OutsideAgent
from harness.agents.borrower import BorrowerAgent
from harness.agents.inventory import InventoryLiquidatorAgent
from harness.agents.keeper import Keeper, Observer, Publisher
from harness.agents.liquidator import LiquidatorAgent, liquidators
from harness.agents.runners import LiquidityProviderAgent, SupplierAgent
from harness.agents.stale_price import StalePriceBorrowerAgent
from harness.agents.stewards import GovernorAgent, GuardianAgent
from harness.agents.trader import TraderAgent

__all__ = [
    "Agent",
    "ArbitrageurAgent",
    "BorrowerAgent",
    "Context",
    "GovernorAgent",
    "GuardianAgent",
    "InventoryLiquidatorAgent",
    "Keeper",
    "LiquidatorAgent",
    "LiquidityProviderAgent",
    "Observer",
    "OutsideAgent",
    "Publisher",
    "StalePriceBorrowerAgent",
    "SupplierAgent",
    "TraderAgent",
    "liquidators",
]
