"""Small scenarios, run on real contracts.

One lending market lends USDX (1 USD, 6 decimals) against ETH (18 decimals); one pool trades the
two. Everything that could blur an answer is off unless a test asks for it: interest, fees, partial
closes, protocol share, recovery of the outside market, latency, and what block space costs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from harness.agents import Agent, Context
from harness.agents.roster import build_agents
from harness.cuts import UNCUT, Cuts
from harness.engine import Block, Engine, Receipt, Transaction, default_engine
from harness.engine.digest import DigestChain
from harness.run import run, set_up
from harness.scenario import (
    Agent as AgentSpec,
)
from harness.scenario import (
    Arbitrageur,
    Asset,
    Bid,
    BlockSpace,
    Clock,
    ConstantPrice,
    ExternalMarket,
    Feed,
    LendingAsset,
    Liquidator,
    Pool,
    PooledLending,
    PositionRow,
    Positions,
    PushFeed,
    Response,
    Scenario,
    SchedulePrice,
    checked,
)
from harness.setup import require_success
from harness.simulation import simulate
from harness.trace import Trace
from harness.view import View

FREE = Bid(base_gwei=0)
NEVER = 10**9
"""Seconds: a heartbeat that no run reaches."""
ROOM = 10**12
"""Gas: a block that holds everything."""
DEEP_USD = 1e12
"""Depth of an outside market that nothing here moves."""


def _as_it_moves(**changes: Any) -> PushFeed:
    """A feed that reports every move of the price it sees, one block later."""
    return dataclasses.replace(PushFeed(heartbeat_s=NEVER, deviation_bps=0), **changes)


def _scenario(
    *,
    blocks: int = 12,
    prices: Sequence[tuple[int, float]] = ((0, 1000.0),),
    usdx: Sequence[tuple[int, float]] = ((0, 1.0),),
    positions: Sequence[tuple[float, float] | PositionRow] = (),
    populations: Sequence[Any] = (),
    agents: Sequence[AgentSpec] = (),
    feed: Feed | None = None,
    usdx_feed: Feed | None = None,
    external: Mapping[str, Any] | None = None,
    usdx_external: Mapping[str, Any] | None = None,
    pool_base: float | None = 100_000.0,
    pool_fee_pips: int = 0,
    pools: Sequence[Pool] = (),
    eth: Mapping[str, Any] | None = None,
    debt: Mapping[str, Any] | None = None,
    market: Mapping[str, Any] | None = None,
    response: Response | None = None,
    space: Mapping[str, Any] | None = None,
    seconds: int = 10,
    expect: str = "quiet",
    gold_usd: float | None = None,
    decimals: int = 18,
) -> Scenario:
    """A scenario; ``prices`` are (block, USD) steps of ETH, ``usdx`` those of USDX, and a position
    is (ETH supplied, USDX borrowed). With ``gold_usd`` there is a third asset of that price, lent
    like USDX, which no pool trades."""

    def path(points: Sequence[tuple[int, float]]) -> SchedulePrice | ConstantPrice:
        if len(points) == 1:
            return ConstantPrice()
        return SchedulePrice(tuple((block * seconds, price) for block, price in points))

    still = {"depth_2pct_usd": DEEP_USD, "half_life_s": 0, "fee_pips": 0}
    outside = ExternalMarket(**{**still, **(external or {})})
    usdx_outside = ExternalMarket(**{**still, **(usdx_external or {})})
    rows = tuple(
        row
        if isinstance(row, PositionRow)
        else PositionRow((("ETH", row[0]),), (("USDX", row[1]),))
        for row in positions
    )
    venues: list[Any] = list(pools)
    if pool_base is not None:
        venues.append(Pool("pool", "ETH", "USDX", pool_base, pool_fee_pips))
    free = {"base_rate": 0.0, "slope1": 0.0, "slope2": 0.0}
    venues.append(
        PooledLending(
            "market",
            (
                LendingAsset(
                    **{
                        "symbol": "ETH",
                        "ltv_bps": 8000,
                        "liquidation_threshold_bps": 8000,
                        "liquidation_bonus_bps": 1000,
                        **free,
                        **(eth or {}),
                    }
                ),
                LendingAsset(**{"symbol": "USDX", "supplied": 1e9, **free, **(debt or {})}),
                *([LendingAsset("GOLD", supplied=1e9, **free)] if gold_usd else []),
            ),
            **{
                "close_factor_bps": 10_000,
                "full_close_health_factor": 0,
                "full_close_below_usd": 0,
                "min_leftover_usd": 0,
                **(market or {}),
            },
        )
    )
    held = list(populations)
    if rows:
        held.append(Positions("ladder", "market", rows, response=response or Response()))
    return checked(
        Scenario(
            name="small",
            clock=Clock(blocks, seconds, 1_700_000_000),
            assets=(
                Asset("ETH", path(prices), decimals, prices[0][1], outside, feed or _as_it_moves()),
                Asset("USDX", path(usdx), 6, usdx[0][1], usdx_outside, usdx_feed or _as_it_moves()),
                *(
                    [Asset("GOLD", ConstantPrice(), 18, gold_usd, None, _as_it_moves())]
                    if gold_usd
                    else []
                ),
            ),
            expect="liquidations" if expect == "liquidations" else "quiet",
            block_space=BlockSpace(**{"gas_limit": ROOM, **(space or {})}),
            venues=tuple(venues),
            populations=tuple(held),
            agents=tuple(agents),
        )
    )


def _liquidator(**changes: Any) -> Liquidator:
    """A liquidator with more of everything than it needs."""
    made = Liquidator(
        "liquidator", "market", (("USDX", 1e9),), max_transactions=10_000, bid=FREE, fee_deposit=1e6
    )
    return dataclasses.replace(made, **changes)


def _arbitrageur(**changes: Any) -> Arbitrageur:
    """An arbitrageur with as much cash as it wants."""
    made = Arbitrageur("arbitrageur", "pool", 1e9, bid=FREE, min_profit_usd=1, fee_deposit=1e6)
    return dataclasses.replace(made, **changes)


class Pass:
    """One pass of a scenario whose world and engine stay open, to look at them afterwards."""

    def __init__(self, scenario: Scenario, seed: int, engine: Engine) -> None:
        self.scenario, self.seed, self.engine = scenario, seed, engine
        self.paths, self.world = set_up(scenario, seed)
        digests = DigestChain()
        self._blocks = self.world.setup.blocks(scenario.clock.start)
        for block in self._blocks:
            receipts = engine.execute(block)
            require_success(block, receipts)
            digests.add(block, receipts)
        self._digest = digests.value

    def simulate(self, cuts: Cuts = UNCUT) -> Trace:
        """Runs every block."""
        return simulate(
            self.engine,
            self.world,
            self.scenario,
            self.paths,
            self.seed,
            first_number=len(self._blocks) + 1,
            digest=self._digest,
            cuts=cuts,
        )

    def view(self, index: int = 0) -> View:
        """The world as it is now, which is after block ``index`` of the run."""
        view = View(self.engine, self.world, self.scenario, self.paths)
        view.update(index, self.scenario.clock.time(index), [])
        return view

    def agents(self) -> list[Agent]:
        """Fresh agents of the scenario."""
        return build_agents(Context(self.world, self.scenario, self.seed))

    @property
    def next_number(self) -> int:
        """Chain number of the block after the run's last."""
        return len(self._blocks) + 1 + self.scenario.clock.blocks

    def execute(self, sent: Transaction) -> Receipt:
        """One transaction in the block after the run's last."""
        now = self.scenario.clock.time(self.scenario.clock.blocks)
        block = Block(self.next_number, now, (sent,))
        (receipt,) = self.engine.execute(block)
        return receipt

    def balance(self, symbol: str, owner: bytes) -> int:
        """A token balance now, base units."""
        held: int = self.world.tokens[symbol].read(self.engine, "balanceOf", owner)
        return held


@pytest.fixture(scope="session")
def small() -> SimpleNamespace:
    """The makers of small scenarios, and ``run``."""
    return SimpleNamespace(
        scenario=_scenario,
        liquidator=_liquidator,
        arbitrageur=_arbitrageur,
        feed=_as_it_moves,
        run=run,
        FREE=FREE,
        NEVER=NEVER,
        ROOM=ROOM,
    )


def _open_passes():
    opened: list[Engine] = []

    def make(scenario: Scenario, seed: int = 1, engine: Engine | None = None) -> Pass:
        opened.append(engine or default_engine())
        return Pass(scenario, seed, opened[-1])

    yield make
    for engine in opened:
        engine.close()


@pytest.fixture
def passes():
    """Makes a `Pass` on an engine that is closed after the test."""
    yield from _open_passes()


@pytest.fixture(scope="module")
def passes_of_module():
    """Makes a `Pass` on an engine that is closed after the module."""
    yield from _open_passes()
