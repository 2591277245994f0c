"""The kits for agents and block orderings: on everything built in, and on what they must refuse."""

from __future__ import annotations

import contextlib
import dataclasses
import random
from functools import partial

import numpy as np
import pytest

from harness import simulation
from harness.accounts import account
from harness.agents import (
    ArbitrageurAgent,
    BorrowerAgent,
    Context,
    GovernorAgent,
    GuardianAgent,
    LiquidityProviderAgent,
    StalePriceBorrowerAgent,
    SupplierAgent,
    liquidators,
)
from harness.agents.base import OrderMaker
from harness.builder import Adversarial, FeeAuction, RandomOrder
from harness.engine.base import Block
from harness.errors import EngineError, PluginError, ScenarioError
from harness.scenario import Agent as AgentSpec
from harness.scenario import (
    Arbitrageur,
    Bid,
    Governor,
    Guardian,
    Liquidator,
    LiquidityProvider,
    Outages,
    Pool,
    Response,
    StalePriceBorrower,
    StuckFeed,
    Supplier,
    Withdrawal,
)
from harness.testing.agent_conformance import SEED, AgentConformance
from harness.testing.ordering_conformance import OrderingConformance


class TestFeeAuction(OrderingConformance):
    @pytest.fixture
    def make_ordering(self):
        return FeeAuction


class TestRandomOrder(OrderingConformance):
    @pytest.fixture
    def make_ordering(self):
        return RandomOrder


class TestAdversarial(OrderingConformance):
    @pytest.fixture
    def make_ordering(self):
        return Adversarial


@pytest.fixture(scope="module")
def lively(small):
    """A fall in which everybody has something to do."""
    return small.scenario(
        blocks=14,
        seconds=60,
        prices=[(block, 1000.0 * 0.975**block) for block in range(14)],
        positions=[(2.0 + i, round((2.0 + i) * 800 / (1.01 + 0.03 * i), 2)) for i in range(8)],
        pool_base=500.0,
        pool_fee_pips=3000,
        external={"depth_2pct_usd": 2e5, "half_life_s": 600},
        market={"close_factor_bps": 5000},
        response=Response(
            top_up_bps=5000,
            deleverage_bps=5000,
            call_health_factor=1.03,
            target_health_factor=1.1,
            cash_bps=300,
        ),
        agents=(
            small.arbitrageur(bid=Bid(base_gwei=12)),
            small.liquidator(
                capital=(("USDX", 5_000.0),),
                max_transactions=2,
                bid=Bid(base_gwei=10, escalation_bps=1000),
                outages=Outages(chance_bps=1000),
            ),
            Guardian("guardian", "market", "ETH", fall_bps=1500, pause_s=120, window_s=600),
            Governor("governor", "market", "ETH", steps=((500, 8300), (1000, 8500))),
        ),
        space={"gas_limit": 1_500_000, "background_bid_gwei": ((0, 5), (300, 11))},
        expect="liquidations",
    )


@pytest.fixture(scope="module")
def leaving(small):
    """A fall in which suppliers run, liquidity leaves and a stale price is taken, in blocks that do
    not hold everybody."""
    fall = Withdrawal("ETH", fall_bps=500, chance_bps=6000, common_bps=5000)
    escalating = Bid(base_gwei=10, escalation_bps=1000)
    return small.scenario(
        blocks=14,
        seconds=60,
        prices=((0, 1000.0), (2, 900.0), (5, 500.0)),
        positions=[(2.0 + i, (2.0 + i) * 700) for i in range(4)],
        debt={"supplied": 1_000.0},
        external={"depth_2pct_usd": 1e6, "half_life_s": 600},
        feed=StuckFeed("told", 880.0, within=(("told", small.feed()),)),
        agents=(
            Supplier(
                "runner", "market", "USDX", 5_000.0, 4, utilisation_bps=5_000, withdrawal=fall
            ),
            LiquidityProvider("provider", "pool", 5_000, fall, count=3, bid=escalating),
            StalePriceBorrower("taker", "market", "ETH", "USDX", 3_000.0, count=2),
            small.liquidator(),
        ),
        space={"gas_limit": 700_000, "background_bid_gwei": ((0, 5), (300, 9))},
    )


def only(scenario, kind):
    (spec,) = scenario.agents_of(kind)
    return spec


#: the scenario in which each has something to do, and how it is built
BUILT_IN = {
    "liquidator": ("lively", lambda s, c: liquidators(only(s, Liquidator), 0, c)[0]),
    "arbitrageur": ("lively", lambda s, c: ArbitrageurAgent(only(s, Arbitrageur), 0, c)),
    "borrowers": ("lively", lambda _, c: BorrowerAgent("market", c)),
    "guardian": ("lively", lambda s, c: GuardianAgent(only(s, Guardian), 0, c)),
    "governor": ("lively", lambda s, c: GovernorAgent(only(s, Governor), 0, c)),
    "supplier": ("leaving", lambda s, c: SupplierAgent(only(s, Supplier), 1, c)),
    "provider": ("leaving", lambda s, c: LiquidityProviderAgent(only(s, LiquidityProvider), 2, c)),
    "taker": ("leaving", lambda s, c: StalePriceBorrowerAgent(only(s, StalePriceBorrower), 0, c)),
}


@pytest.mark.parametrize("built_in", BUILT_IN)
class TestBuiltIn(AgentConformance):
    @pytest.fixture
    def scenario(self, built_in, request):
        return request.getfixturevalue(BUILT_IN[built_in][0])

    @pytest.fixture
    def make_agent(self, built_in, scenario):
        return partial(BUILT_IN[built_in][1], scenario)


# --- what the kits must refuse -----------------------------------------------------------------


class Wrong:
    """The built-in liquidator with one fault."""

    def __init__(self, scenario, context: Context) -> None:
        (spec,) = scenario.agents_of(Liquidator)
        self._agent = liquidators(spec, 0, context)[0]
        self.name = self._agent.name

    def act(self, view):
        return [self.fault(view, order) for order in self._agent.act(view)]

    def fault(self, view, order):
        return order


class Executes(Wrong):
    def fault(self, view, order):
        with contextlib.suppress(EngineError):
            view._engine.execute(Block(0, 0, ()))
        return order


class ChangesTheView(Wrong):
    def fault(self, view, order):
        view.venues["market"].unhealthy_since.popitem()
        return order


class DrawsAtLarge(Wrong):
    def fault(self, view, order):
        return dataclasses.replace(order, bid=order.bid + random.randrange(2**40))


class DrawsFromNumpy(Wrong):
    def fault(self, view, order):
        return dataclasses.replace(order, bid=order.bid + int(np.random.randint(2**30)))  # noqa: NPY002 - the fault


class BidsInFloats(Wrong):
    def fault(self, view, order):
        return dataclasses.replace(order, bid=float(order.bid))


class TestOutside(AgentConformance):
    @pytest.fixture
    def scenario(self, lively):
        return lively

    @pytest.fixture
    def make_agent(self):
        return lambda context: BuyerAgent(Buyer("buyer"), 0, context)


class SpeaksForAnother(Wrong):
    def fault(self, view, order):
        return dataclasses.replace(order, agent="arbitrageur")


class SeesTheFuture(Wrong):
    def fault(self, view, order):
        return dataclasses.replace(order, observed=order.observed + 1)


class DeclaresLittle(Wrong):
    def fault(self, view, order):
        return dataclasses.replace(order, gas=21_000)


class RepeatsItself(Wrong):
    def act(self, view):
        orders = self._agent.act(view)
        return [*orders, *orders]


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (Executes, "test_it_changes_nothing_itself"),
        (ChangesTheView, "test_it_changes_nothing_itself"),
        (DrawsAtLarge, "test_it_changes_nothing_itself"),
        (DrawsAtLarge, "test_the_same_seed_gives_the_same_orders"),
        (DrawsFromNumpy, "test_it_changes_nothing_itself"),
        (BidsInFloats, "test_its_orders_are_in_form"),
        (SpeaksForAnother, "test_its_orders_are_in_form"),
        (SeesTheFuture, "test_its_orders_are_in_form"),
        (DeclaresLittle, "test_its_orders_are_in_form"),
        (RepeatsItself, "test_its_orders_are_in_form"),
    ],
)
def test_the_kit_finds_the_fault(lively, monkeypatch, fault, check) -> None:
    kit = AgentConformance()
    take_part = AgentConformance.take_part.__wrapped__(
        kit, lively, lambda context: fault(lively, context), monkeypatch
    )
    with pytest.raises(AssertionError):
        getattr(kit, check)(take_part)


def test_the_kit_leaves_the_simulation_as_it_was(lively, monkeypatch) -> None:
    build = simulation.build_agents
    take_part = AgentConformance.take_part.__wrapped__(
        AgentConformance(), lively, lambda context: BorrowerAgent("market", context), monkeypatch
    )
    take_part(SEED)
    assert simulation.build_agents is build


class Drops(FeeAuction):
    def arrange(self, orders, seed, block):
        return super().arrange(orders, seed, block)[1:]


class Counts(FeeAuction):
    def __init__(self) -> None:
        self._asked = 0

    def arrange(self, orders, seed, block):
        self._asked += 1
        return super().arrange(orders, seed, self._asked)


class Shuffles(FeeAuction):
    def arrange(self, orders, seed, block):
        return random.sample(list(orders), len(orders))


class Sorts(FeeAuction):
    def arrange(self, orders, seed, block):
        orders.sort(key=lambda order: order.key)
        return orders


class RaisesBids(FeeAuction):
    def arrange(self, orders, seed, block):
        for order in orders:
            order.bid += 1
        return super().arrange(orders, seed, block)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (Drops, "test_it_returns_every_order_once"),
        (Counts, "test_it_depends_on_orders_seed_and_block_only"),
        (Shuffles, "test_it_depends_on_orders_seed_and_block_only"),
        (Shuffles, "test_it_draws_from_no_shared_stream"),
        (Sorts, "test_it_changes_no_order_and_not_the_offer"),
        (RaisesBids, "test_it_changes_no_order_and_not_the_offer"),
    ],
)
def test_the_ordering_kit_finds_the_fault(fault, check) -> None:
    with pytest.raises(AssertionError):
        getattr(OrderingConformance(), check)(fault)


# --- agents from outside ------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Buyer(AgentSpec):
    """Approves the router to spend its USDX."""

    kind_name = "approver"
    name: str
    capital: tuple[tuple[str, float], ...] = ()
    count: int = 1
    fee_deposit: float = 1.0

    def build(self, index, context):
        return BuyerAgent(self, index, context)


class BuyerAgent:
    """It does so once."""

    def __init__(self, spec: Buyer, index: int, context: Context) -> None:
        self.name = f"{spec.name}-{index}"
        self._world = context.world
        owner = account(spec.name, index).address
        self._maker = OrderMaker(context, self.name, owner, Bid(base_gwei=1), 0)

    def act(self, view):
        if view.index:
            return []
        ledger = self._world.tokens["USDX"]
        call = ledger.encode("approve", self._world.router.address, 10**6)
        return [self._maker.order(view, "approve", "", ledger.address, call, gas=60_000)]


def test_an_agent_from_outside_has_its_capital_and_pays_its_fees(small, passes) -> None:
    history = passes(small.scenario(agents=(Buyer("buyer", (("USDX", 5.0),), count=2),)))
    trace = history.simulate()
    rows = [row for row in trace.transactions if row.agent.startswith("buyer")]
    assert [(row.agent, row.status) for row in rows] == [(row.agent, "succeeded") for row in rows]
    assert {row.agent for row in rows} == {"buyer-0", "buyer-1"}
    for index in range(2):
        assert history.balance("USDX", account("buyer", index).address) == 5 * 10**6
    assert trace.fees == {f"buyer-{index}": 60_000 * 10**9 for index in range(2)}
    assert trace.violations == []


def test_of_two_pools_for_a_pair_the_first_takes_forced_trades(small, passes) -> None:
    deep = Pool("deep", "ETH", "USDX", 50_000.0, 0)
    scenario = small.scenario(
        prices=((0, 1000.0), (1, 950.0)),
        positions=((1.0, 790.0),),
        pools=(deep,),
        pool_base=1.0,
        agents=(small.liquidator(),),
        expect="liquidations",
    )
    trace = passes(scenario).simulate()
    assert len(trace.liquidations) == 1
    first, last = trace.blocks[0].reserves, trace.blocks[-1].reserves
    assert first["deep"] != last["deep"]
    assert first["pool"] == last["pool"]


@pytest.mark.parametrize("name", ["outside", "admin", "seeder", "fee-collector", "ladder"])
def test_a_name_that_is_somebody_elses_is_refused(small, name) -> None:
    with pytest.raises(ScenarioError, match=r"agent\[0\].name"):
        small.scenario(positions=((1.0, 1.0),), agents=(small.liquidator(name=name),))


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (BidsInFloats, "bid is not an integer"),
        (SpeaksForAnother, "agent is not the agent's name"),
        (DeclaresLittle, "gas is not what the action declares"),
    ],
)
def test_a_malformed_order_ends_the_run_in_one_line(lively, passes, monkeypatch, fault, told):
    monkeypatch.setattr(simulation, "build_agents", lambda context: [fault(lively, context)])
    with pytest.raises(PluginError, match=f"agent liquidator, before block .*{told}"):
        passes(lively).simulate()


def test_an_ordering_that_loses_an_order_ends_the_run_in_one_line(lively, passes, monkeypatch):
    monkeypatch.setattr(simulation, "block_ordering", lambda name: Drops())
    with pytest.raises(PluginError, match=r"block ordering Drops, for block .* once each"):
        passes(lively).simulate()
