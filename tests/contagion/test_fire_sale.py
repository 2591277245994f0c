"""A leveraged fund over its cap sells into a pool; a second fund holds the same asset elsewhere.

Closed form of a constant-product pool without fee (REFERENCES: selling a = dx/x of the base
reserve brings the average slippage a/(1+a) and lowers the spot by 1 - 1/(1+a)^2). In integers, as
the contracts round, each figure is exact.
"""

from __future__ import annotations

from harness.run import run
from harness.scenario import Pool, PoolSpotFeed, Response

SEED = 3
RESERVE = 1000.0
WAD = 10**18


def test_slippage_price_and_second_funds_loss_match_the_closed_form(several):
    # health 100,000 x .8 / 75,000 = 1.067, below the fund's cap of 1.2; it sells until it is there
    fund = Response(
        deleverage_bps=10_000, call_health_factor=1.2, target_health_factor=1.3, fee_deposit=10
    )
    scenario = several.scenario(
        falls=(),
        pools=[Pool("eth-usdx", "ETH", "USDX", RESERVE, 0)],
        feed=PoolSpotFeed("eth-usdx"),
        markets=[several.market("first"), several.market("second")],
        populations=[
            several.positions("first", [(100.0, 75_000.0)], response=fund),
            several.positions("second", [(50.0, 10_000.0)]),
        ],
        agents=[],
        blocks=4,
        expect="quiet",
    )
    result = run(scenario, SEED)
    sale = result.run.trades[0]
    assert (sale.venue, sale.action) == ("first", "deleverage")

    x = int(RESERVE) * WAD
    dx = sale.amount_in
    y = x // WAD * 1000 * 10**6
    assert sale.amount_out == y * dx // (x + dx)
    a = dx / x
    slippage = 1 - sale.amount_out / 10**6 / (dx / WAD * 1000)
    assert abs(slippage - a / (1 + a)) < 1e-9  # a wei of USDX in some 10^10
    spot = sale.spot_after / sale.spot_before
    assert abs(spot - 1 / (1 + a) ** 2) < 1e-9

    # the second market values its fund's ETH by the pool's spot: rounded down to 8 decimals
    before, after = (
        result.run.blocks[index].venues["second"].states[0].price_wad for index in (0, sale.block)
    )
    reserve_base, reserve_quote = result.run.blocks[sale.block].reserves["eth-usdx"]
    answer = reserve_quote * 10**12 * 10**8 // reserve_base
    assert after == answer * 10**10
    assert before == 1000 * WAD
    held = result.run.opening["second"].words(0)[0] >> 128
    loss = held * (before - after) // WAD
    closed_form = 50 * 1000 * (1 - 1 / (1 + a) ** 2)
    assert loss > 0
    # the answer's eighth decimal, on 50 ETH, and the wei of USDX that stays in the pool
    assert abs(loss / WAD - closed_form) < 1e-4
    assert result.run.closing["second"].words(0) == result.run.opening["second"].words(0)
