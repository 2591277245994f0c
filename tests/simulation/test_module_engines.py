"""Every liquidation design gives the same digests on revm and on py-evm."""

from __future__ import annotations

import pytest

from harness.scenario import (
    AbsorbAndSell,
    Bid,
    Buyer,
    Depositor,
    DutchAuctions,
    EnglishAuctions,
    GrowingDiscount,
    LinearCurve,
    StabilityDeposits,
    Trigger,
)

BID = Bid(base_gwei=5, escalation_bps=1000)


def busy(small, design):
    """Two who start and two who buy or deposit, with fees and latency, and a falling price."""
    common = {"count": 2, "fee_deposit": 100.0, "bid": BID}
    starts = Trigger("trigger", "market", max_transactions=4, **common)
    buys = Buyer(
        "buyer",
        "market",
        (("USDX", 20_000.0),),
        latency_blocks=1,
        opening_bps=5000,
        max_transactions=4,
        **common,
    )
    stands = Depositor("depositor", "market", 4000.0, min_gain_usd=1.0, **common)
    agents = {
        GrowingDiscount: (small.liquidator(count=2, capital=(("USDX", 9000.0),), bid=BID),),
        StabilityDeposits: (starts, stands),
    }.get(type(design), (starts, buys))
    return small.scenario(
        blocks=22,
        seconds=60,
        prices=[(block, 1000.0 * 0.985**block) for block in range(22)],
        positions=[(3.0 + i, round((3.0 + i) * 760 / (1 + 0.02 * i), 2)) for i in range(4)],
        eth={"base_rate": 0.05},
        debt={"base_rate": 0.1, "reserve_factor_bps": 1000},
        pool_base=300.0,
        pool_fee_pips=3000,
        market={"liquidation": design},
        agents=(*agents, small.arbitrageur()),
        space={"gas_limit": 3_000_000, "expiry_blocks": 4},
        expect="liquidations",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "design",
    [
        GrowingDiscount(),
        DutchAuctions(LinearCurve(1200), dust_usd=200, flat_incentive_usd=20, reset_after_s=900),
        EnglishAuctions(largest_lot=2.5, bid_duration_s=180, auction_duration_s=600),
        AbsorbAndSell("USDX", reserves=500.0),
        StabilityDeposits("ETH", "USDX"),
    ],
    ids=lambda design: design.kind_name,
)
def test_digests_and_figures_are_the_same_on_every_engine(small, design) -> None:
    scenario = busy(small, design)
    first, other = small.run(scenario, 3), small.run(scenario, 3, "py-evm")
    assert first.run.liquidations
    assert first.run.trades
    for one, two in ((first.run, other.run), (first.twin, other.twin)):
        assert one.digest == two.digest
        assert one.liquidations == two.liquidations
        assert one.sales == two.sales
    for part in ("solvency", "liquidations"):
        assert other.summary[part] == first.summary[part]
    assert all(first.summary["checks"]["invariants"].values())
