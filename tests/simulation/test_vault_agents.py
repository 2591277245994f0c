"""The conformance kit of agents for those who have to do with vaults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.agents.shares import ShareArbitrageurAgent
from harness.agents.vaults import CuratorAgent, VaultDepositorAgent
from harness.scenario import (
    Bid,
    Curator,
    Outages,
    Pool,
    ShareArbitrageur,
    VaultDepositor,
    load_scenario,
)
from harness.testing.agent_conformance import AgentConformance

FILE = Path(__file__).parent.parent / "contagion" / "vault.toml"

ESCALATING = Bid(base_gwei=10, escalation_bps=1000)


TIGHT = (
    "block_space.gas_limit=1_200_000",
    "block_space.background_bid_gwei=[[0, 5], [60, 9]]",
    "agent.bot.latency_blocks=2",
    "agent.bot.bid.base_gwei=20",
)
#: All is lent in one market, and what is repaid there is the only cash.
NO_CASH = (
    "venue.prime.market=[{venue='alt', supplied=600_000}]",
    "venue.alt.supplied=0",
    "population.alt-users.position=[{supplied={ALT=52_000}, borrowed={USDX=440_000}},"
    "{supplied={ALT=40_000}, borrowed={USDX=160_000}}]",
)


def falling(*settings):
    """A loss in a market, a curator who leaves it, and depositors who run, in blocks that do not
    hold everybody."""
    scenario = load_scenario(str(FILE), [*TIGHT, *settings])
    agents = (
        *scenario.agents,
        VaultDepositor("runner", "prime", 70_000, 20, count=4, bid=ESCALATING),
        VaultDepositor(
            "watcher",
            "prime",
            25_000,
            liquidity_bps=9_000,
            min_withdrawal=100,
            count=4,
            latency_blocks=1,
            bid=ESCALATING,
            outages=Outages(chance_bps=2_000),
        ),
        Curator("curator", "prime", 1, reallocates=True, bid=ESCALATING),
    )
    return replace(scenario, agents=agents)


class TestVaultDepositor(AgentConformance):
    @pytest.fixture
    def scenario(self):
        return falling(*NO_CASH)

    @pytest.fixture(params=["runner", "watcher"])
    def make_agent(self, scenario, request):
        (spec,) = (each for each in scenario.agents if each.name == request.param)
        return lambda context: VaultDepositorAgent(spec, 1, context)


def with_pool(scenario):
    """With a small pool of the shares, in which those who run sell what nobody redeems."""
    return replace(scenario, venues=(*scenario.venues, Pool("shares", "vUSDX", "USDX", 20_000)))


class TestSellingDepositor(AgentConformance):
    @pytest.fixture
    def scenario(self):
        return with_pool(falling(*NO_CASH))

    @pytest.fixture
    def make_agent(self, scenario):
        (spec,) = (each for each in scenario.agents if each.name == "watcher")
        selling = replace(spec, sale_discount_bps=3_000)
        return lambda context: VaultDepositorAgent(selling, 1, context)


class TestShareArbitrageur(AgentConformance):
    SPEC = ShareArbitrageur(
        "arbitrageur", "shares", 5_000, 1_000, count=2, latency_blocks=1, bid=ESCALATING
    )

    @pytest.fixture(params=[True, False], ids=["cash", "no cash"])
    def scenario(self, request):
        before = load_scenario(str(FILE)) if request.param else falling(*NO_CASH)
        return replace(with_pool(before), agents=(*before.agents, self.SPEC))

    @pytest.fixture
    def make_agent(self):
        return lambda context: ShareArbitrageurAgent(self.SPEC, 1, context)


class TestCurator(AgentConformance):
    @pytest.fixture
    def scenario(self):
        return falling()

    @pytest.fixture
    def make_agent(self, scenario):
        (spec,) = scenario.agents_of(Curator)
        return lambda context: CuratorAgent(spec, 0, context)
