"""Who takes part in a run: the agents of a scenario, and those who report to feeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.agents.arbitrageur import ArbitrageurAgent
from harness.agents.base import Agent, Context, OutsideAgent
from harness.agents.basis import BasisTraderAgent
from harness.agents.borrower import BorrowerAgent
from harness.agents.exchange import (
    FundingKeeperAgent,
    FundUnwinderAgent,
    MarginCallerAgent,
    PerpLiquidatorAgent,
)
from harness.agents.hedger import VaultHedgerAgent
from harness.agents.holder import HolderAgent
from harness.agents.inventory import InventoryLiquidatorAgent
from harness.agents.keeper import Keeper, Observer
from harness.agents.lender import LenderAgent
from harness.agents.liquidator import liquidators
from harness.agents.participants import participant
from harness.agents.runners import LiquidityProviderAgent, SupplierAgent
from harness.agents.shares import ShareArbitrageurAgent
from harness.agents.stale_price import StalePriceBorrowerAgent
from harness.agents.stewards import GovernorAgent, GuardianAgent
from harness.agents.trader import TraderAgent
from harness.agents.vaults import CuratorAgent, VaultDepositorAgent
from harness.agents.waterfall import WaterfallKeeperAgent
from harness.errors import ScenarioError
from harness.scenario import Agent as AgentSpec
from harness.scenario import (
    Arbitrageur,
    BasisTrader,
    Buyer,
    Curator,
    Depositor,
    FundingKeeper,
    FundUnwinder,
    Governor,
    Guardian,
    InventoryLiquidator,
    Lender,
    Liquidator,
    LiquidityProvider,
    MarginCaller,
    PerpLiquidator,
    PoolTwapFeed,
    PushFeed,
    ShareArbitrageur,
    StalePriceBorrower,
    Supplier,
    Trigger,
    VaultDepositor,
    VaultHedger,
    WaterfallKeeper,
)

#: How each kind of agent is made that is one agent, by its class in the scenario.
_ONE: Mapping[type[AgentSpec], Callable[[Any, int, Context], Agent]] = {
    InventoryLiquidator: InventoryLiquidatorAgent,
    Arbitrageur: ArbitrageurAgent,
    ShareArbitrageur: ShareArbitrageurAgent,
    Guardian: GuardianAgent,
    Governor: GovernorAgent,
    Supplier: SupplierAgent,
    LiquidityProvider: LiquidityProviderAgent,
    StalePriceBorrower: StalePriceBorrowerAgent,
    VaultDepositor: VaultDepositorAgent,
    Curator: CuratorAgent,
    Trigger: participant,
    Buyer: participant,
    Depositor: participant,
    PerpLiquidator: PerpLiquidatorAgent,
    MarginCaller: MarginCallerAgent,
    FundingKeeper: FundingKeeperAgent,
    FundUnwinder: FundUnwinderAgent,
    VaultHedger: VaultHedgerAgent,
    BasisTrader: BasisTraderAgent,
    WaterfallKeeper: WaterfallKeeperAgent,
}


def feed_keepers(context: Context) -> list[Keeper | Observer]:
    """Those who report to push feeds and write down averages, in the order of deployment."""
    keepers: list[Keeper | Observer] = []
    for name, source in context.world.sources.items():
        feed = context.world.feeds[name]
        if isinstance(source.feed, PushFeed):
            keepers.append(Keeper(context, name, feed, source.feed))
        elif isinstance(source.feed, PoolTwapFeed):
            keepers.append(Observer(context, name, feed, source.feed))
    return keepers


def build_agents(context: Context) -> list[Agent]:
    """The scenario's agents in the file's order, then the borrowers of each lending venue and the
    traders of each exchange.

    Raises ScenarioError for a kind of which no agent can be made.
    """
    agents: list[Agent] = []
    for spec in context.scenario.agents:
        for index in range(spec.count):
            agents += _agents_of(spec, index, context)
    venues, exchanges = context.world.venues.values(), context.world.exchanges.values()
    agents += [
        BorrowerAgent(venue.name, context)
        for venue in venues
        if any(position.action in ("top-up", "deleverage") for position in venue.positions)
    ]
    agents += [
        HolderAgent(venue.name, context)
        for venue in venues
        if any(position.action == "move" for position in venue.positions)
    ]
    agents += [
        TraderAgent(venue.name, context)
        for venue in exchanges
        if any(trader.answer != "nothing" for trader in venue.traders)
    ]
    return agents


def _agents_of(spec: AgentSpec, index: int, context: Context) -> list[Agent]:
    """Number ``index`` of a scenario's agents: several where it serves several venues."""
    if isinstance(spec, Liquidator):
        return list(liquidators(spec, index, context))
    if isinstance(spec, Lender):
        return [LenderAgent(spec, venue, index, context) for venue in spec.venues]
    for kind, make in _ONE.items():
        if isinstance(spec, kind):
            return [make(spec, index, context)]
    if isinstance(spec, OutsideAgent):
        return [spec.build(index, context)]
    allowed = "a built-in kind, or a class with build(index, context)"
    raise ScenarioError("agent.kind", spec.tag_value(), allowed)


__all__ = ["build_agents", "feed_keepers"]
