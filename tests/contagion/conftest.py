"""Small scenarios of several lending markets, run on real contracts.

Every market lends USDX (1 USD, 6 decimals) against its own listing of ETH (18 decimals) or of
another asset; interest, fees and partial closes are off, so that an answer can be computed by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from harness.scenario import (
    Asset,
    Bid,
    BlockSpace,
    Clock,
    ConstantPrice,
    ExternalMarket,
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

FREE = Bid(base_gwei=0)
SECONDS = 10


def market(name: str, collateral: str = "ETH", **changes: Any) -> PooledLending:
    """A lending market without interest, at a threshold of 80% and a bonus of 10%."""
    free = {"base_rate": 0.0, "slope1": 0.0, "slope2": 0.0}
    listing = {
        "symbol": collateral,
        "ltv_bps": 8000,
        "liquidation_threshold_bps": 8000,
        "liquidation_bonus_bps": 1000,
        **free,
        **changes,
    }
    return PooledLending(
        name,
        (LendingAsset(**listing), LendingAsset("USDX", supplied=1e8, **free)),
        close_factor_bps=10_000,
        full_close_health_factor=0,
        full_close_below_usd=0,
        min_leftover_usd=0,
    )


def liquidator(name: str, venue: str, capital: float = 1e8, **changes: Any) -> Liquidator:
    """A liquidator that bids nothing and may do everything at once."""
    given = {"max_transactions": 1000, "bid": FREE, "fee_deposit": 1e3, **changes}
    return Liquidator(name, venue, (("USDX", capital),), **given)


def positions(
    venue: str,
    rows: Sequence[tuple[float, float]],
    collateral: str = "ETH",
    response: Response | None = None,
    **changes: Any,
) -> Positions:
    """Accounts of a market, as (collateral, USDX borrowed)."""
    table = tuple(PositionRow(((collateral, held),), (("USDX", owed),)) for held, owed in rows)
    return Positions(f"{venue}-holders", venue, table, response=response or Response(), **changes)


def scenario(
    *,
    falls: Sequence[float] = (0.97, 0.94, 0.91, 0.88, 0.85, 0.82),
    pools: Sequence[Pool] = (Pool("eth-usdx", "ETH", "USDX", 3000.0, 0),),
    markets: Sequence[PooledLending],
    populations: Sequence[Positions],
    agents: Sequence[Any],
    blocks: int = 12,
    others: Sequence[str] = (),
    space: dict[str, Any] | None = None,
    feed: Any = None,
    external: ExternalMarket | None = None,
    expect: str = "liquidations",
    quiet: Sequence[str] = (),
) -> Scenario:
    """ETH and the ``others`` fall by these factors of 1,000 USD, a block each; those in ``quiet``
    stand still."""
    pushed = PushFeed(heartbeat_s=10**9, deviation_bps=0)
    path = tuple((SECONDS * (i + 2), factor) for i, factor in enumerate(falls))

    def falling(symbol: str) -> Any:
        return ConstantPrice() if symbol in quiet or not path else SchedulePrice(path, "factor")

    outside = external or ExternalMarket(1e12, 0, 0)
    risky = [Asset(s, falling(s), 18, 1000.0, outside, feed or pushed) for s in ("ETH", *others)]
    return checked(
        Scenario(
            name="several",
            clock=Clock(blocks, SECONDS, 1_700_000_000),
            assets=(*risky, Asset("USDX", ConstantPrice(), 6, 1.0, outside, pushed)),
            expect="liquidations" if expect == "liquidations" else "quiet",
            block_space=BlockSpace(**{"gas_limit": 10**12, **(space or {})}),
            venues=(*pools, *markets),
            populations=tuple(populations),
            agents=tuple(agents),
        )
    )


@pytest.fixture(scope="session")
def several() -> SimpleNamespace:
    """The makers of scenarios of several markets."""
    return SimpleNamespace(
        market=market, liquidator=liquidator, positions=positions, scenario=scenario, FREE=FREE
    )
