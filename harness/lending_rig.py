"""Deployment of a scenario's lending venues and vaults, and of what liquidates there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import partial
from typing import NamedTuple

from harness.contracts import Contract
from harness.feeds import FeedRig
from harness.funding import Seeder
from harness.people import ADMIN, SEEDER
from harness.population import Position
from harness.protocols.curated_vault import VaultHandle, deploy_vault
from harness.protocols.isolated_lending import (
    IsolatedLendingVenue,
    deploy_isolated_lending,
)
from harness.protocols.opening import open_positions
from harness.protocols.pooled_lending import PooledLendingVenue
from harness.protocols.pooled_setup import (
    deploy_pooled_lending,
    feed_terms,
    put_in_force,
)
from harness.scenario import IsolatedLending, Liquidator, PooledLending, Scenario, Vault
from harness.setup import Setup


class TradeExecutors(NamedTuple):
    """Contracts through which accounts are liquidated, reduce themselves and pools are arbitraged;
    those of isolated markets, and for flash loans, only where they are needed."""

    liquidation: Contract
    deleverage: Contract
    arbitrage: Contract
    isolated: tuple[Contract, Contract] | None
    flash: Contract | None


def deploy_executors(setup: Setup, scenario: Scenario, router: Contract) -> TradeExecutors:
    """Deploys what a scenario's markets and liquidators need."""
    liquidation = setup.deploy("LiquidationExecutor", router.address)
    deleverage = setup.deploy("DeleverageExecutor", router.address)
    arbitrage = setup.deploy("ArbitrageExecutor")
    isolated = flash = None
    if scenario.venues_of(IsolatedLending):
        isolated = (
            setup.deploy("IsolatedLiquidator", router.address),
            setup.deploy("IsolatedDeleverager", router.address),
        )
    if any(agent.funding == "flash-loan" for agent in scenario.agents_of(Liquidator)):
        flash = setup.deploy("FlashLiquidator", router.address)
    return TradeExecutors(liquidation, deleverage, arbitrage, isolated, flash)


class LendingRig:
    """Deploys lending venues and vaults one by one, in the order of the scenario.

    Attributes:
        venues, vaults: those deployed so far, by name

    """

    def __init__(
        self,
        setup: Setup,
        scenario: Scenario,
        seeder: Seeder,
        feeds: FeedRig,
        executors: TradeExecutors,
        router: Contract,
        tokens: MutableMapping[str, Contract],
        decimals: Mapping[str, int],
        open_pools: Callable[[str], Mapping[str, Contract]],
    ) -> None:
        """``open_pools`` deploys the pools of a vault's shares, which are a token by then."""
        self._setup = setup
        self._scenario = scenario
        self._seeder = seeder
        self._feeds = feeds
        self._executors = executors
        self._router = router
        self._tokens = tokens
        self._decimals = decimals
        self._open_pools = open_pools
        self._unopened: list[str] = []
        self.venues: dict[str, PooledLendingVenue] = {}
        self.vaults: dict[str, VaultHandle] = {}

    def deploy(self, name: str, held: Sequence[Position]) -> None:
        """Deploys a lending venue with its positions, or a vault: its shares are a token from then
        on, and have their feeds. A market's positions are opened once every vault that lends to it
        is there."""
        spec = self._scenario.venue(name)
        if isinstance(spec, Vault):
            self._deploy_vault(spec)
        else:
            self.venues[name] = self._deploy_market(name, held)
            self._unopened.append(name)
        awaited = {
            market.venue
            for vault in self._scenario.venues_of(Vault)
            if vault.name not in self.vaults
            for market in vault.markets
        }
        for market in [each for each in self._unopened if each not in awaited]:
            self._open(self.venues[market])
            self._unopened.remove(market)

    def _deploy_vault(self, spec: Vault) -> None:
        handle = deploy_vault(
            self._setup,
            spec,
            self.venues,
            self._tokens,
            self._decimals,
            mint=self._seeder.mint,
            approve=self._seeder.approve,
            seeder=SEEDER,
        )
        self.vaults[spec.name], self._tokens[spec.share] = handle, handle.vault
        self._setup.send(ADMIN, self._router, "setRedeems", handle.vault.address, True)
        self._feeds.deploy(self._open_pools(spec.share), {spec.share: handle.vault})

    def _deploy_market(self, name: str, held: Sequence[Position]) -> PooledLendingVenue:
        spec, executors = self._scenario.venue(name), self._executors
        read = self._feeds.read_by(name)
        if isinstance(spec, IsolatedLending) and executors.isolated:
            liquidator, deleverager = executors.isolated
            return deploy_isolated_lending(
                self._setup,
                spec,
                held,
                tokens=self._tokens,
                decimals=self._decimals,
                feed_terms=partial(feed_terms, self._scenario, read),
                liquidator=liquidator,
                deleverager=deleverager,
                mint=self._seeder.mint,
                approve=self._seeder.approve,
                seeder=SEEDER,
            )
        if not isinstance(spec, PooledLending):
            raise TypeError(f"{name}: no contract lends so")  # validation refuses it
        return deploy_pooled_lending(
            self._setup,
            spec,
            held,
            tokens=self._tokens,
            feeds=read,
            decimals=self._decimals,
            scenario=self._scenario,
            liquidation_executor=executors.liquidation,
            deleverage_executor=executors.deleverage,
            flash_liquidator=executors.flash,
            router=self._router,
            mint=self._seeder.mint,
            approve=self._seeder.approve,
            seeder=SEEDER,
            admin=ADMIN,
        )

    def _open(self, venue: PooledLendingVenue) -> None:
        mint, approve = self._seeder.mint, self._seeder.approve
        open_positions(self._setup, venue, mint=mint, approve=approve, seeder=SEEDER)
        if not isinstance(venue, IsolatedLendingVenue):
            put_in_force(self._setup, venue, mint=mint, approve=approve, seeder=SEEDER, admin=ADMIN)


__all__ = ["LendingRig", "TradeExecutors", "deploy_executors"]
