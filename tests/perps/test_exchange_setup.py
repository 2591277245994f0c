"""What a scenario says of an exchange is what the chain holds after set-up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from harness.cuts import UNCUT
from harness.engine import open_engine
from harness.protocols.perp_setup import decay_ray
from harness.run import Stage

WAD, RAY, USDC = 10**18, 10**27, 10**6
NO_CAP = (1 << 128) - 1


@pytest.fixture(scope="module")
def staged(small):
    engine = open_engine("revm")
    changed = (
        "venue.perps.market.ETH.long_cap=5000",
        "venue.perps.market.ETH.band_bps=500",
        "venue.perps.market.ETH.volatility_target=0.05",
        "venue.perps.market.ETH.open_interest_slope_bps=250",
        "venue.perps.withdraw_floor_bps=1200",
    )
    stage = Stage(small(*changed), 3, engine)
    yield engine, stage
    engine.close()


def test_markets_are_listed_as_the_scenario_says(staged) -> None:
    engine, stage = staged
    venue = stage.world.exchanges["perps"]
    config, tiers = venue.exchange.read(engine, "marketConfig", 0)
    # the lending market reads the same feed: each has a relay of its own to it
    assert config[0] == stage.world.relays["perps"]["ETH"].address
    assert config[4:9] == (200_000 * WAD, 5000 * WAD, NO_CAP, 150, 450)
    assert config[9] == 100
    assert config[11:14] == (WAD // 10, 3 * WAD // 10_000, 96 * WAD // 100)
    assert config[14:20] == (100, 5_000, 30, 1, 3_600, 500)
    assert config[21] == 5 * WAD // 100
    assert config[23:] == (250, 30_000)
    assert tiers == (
        (100_000 * USDC, 700, 500, 250, 10_000),
        (NO_CAP, 700, 500, 250, 2_000),
    )
    other, _ = venue.exchange.read(engine, "marketConfig", 1)
    assert other[0] == stage.world.feeds["BTC"].address
    assert other[5] == NO_CAP
    assert other[19] == 0


def test_rules_funds_and_collaterals_are_there(staged) -> None:
    engine, stage = staged
    venue = stage.world.exchanges["perps"]
    risk = venue.exchange.read(engine, "riskConfig")
    assert risk == (1200, False, 6667, 6000, 3000, 20 * USDC, 0, 0)
    books = venue.books(engine)
    assert books.insurance == 100_000 * USDC
    assert books.vault_cash == 8_000_000 * USDC
    assert (books.fees, books.deficit) == (0, 0)
    for place, haircut in enumerate((1000, 800)):
        assert venue.exchange.read(engine, "collateralConfig", place)[5] == haircut


def test_positions_open_at_the_index_price_and_cost_nothing(staged) -> None:
    """Profit and loss of every account is zero but for the wei of rounding, whatever the skew."""
    engine, stage = staged
    venue = stage.world.exchanges["perps"]
    venue.refresh(engine)
    states = venue.states(engine)
    held = list(venue.held)
    assert states[0].skew != 0
    for number, (trader, place) in enumerate(held):
        account = trader.accounts[place]
        words = venue.named(tuple(venue.words(number)))
        assert {s: words["position", s] for s, _ in account.positions} == dict(account.positions)
        deposited = dict(account.deposits)
        assert words.get(("cash", "USDC"), 0) == deposited.get("USDC", 0)
        position = venue.position_words(number, states)
        for market, symbol in enumerate(venue.markets):
            size, cost = position[1 + 2 * market], position[2 + 2 * market]
            worth = size * states[market].index_wad // venue.value_scale
            assert abs(worth - cost) <= 2 + abs(worth) // 10**9, symbol


@pytest.mark.parametrize("half_life", [1, 60, 300, 3600])
def test_half_is_left_after_a_half_life(half_life: int) -> None:
    left = (Decimal(decay_ray(half_life)) / RAY) ** half_life
    # the factor is cut off at 27 digits, once for each second
    assert abs(left - Decimal("0.5")) < Decimal(half_life) * Decimal(10) ** -27


def test_margins_that_grow_with_volatility_bring_liquidations_forward(play) -> None:
    """A guard that is an amplifier, too: the same fall, with margins that rise in it."""
    plain = play()
    guarded = play(
        "venue.perps.market.ETH.volatility_target=0.03",
        "venue.perps.market.ETH.volatility_half_life_s=600",
        "venue.perps.market.BTC.volatility_target=0.03",
        "venue.perps.market.BTC.volatility_half_life_s=600",
    )
    scales = [b.exchanges["perps"].states[0].margin_scale_bps for b in guarded.run.blocks]
    assert max(scales) > 12_000
    assert {b.exchanges["perps"].states[0].margin_scale_bps for b in plain.run.blocks} == {10_000}
    first = [
        min(row.block for row in result.run.liquidations if row.venue == "perps")
        for result in (guarded, plain)
    ]
    assert first[0] < first[1]


def test_a_price_band_stops_trades_in_a_fall_but_not_liquidations(small) -> None:
    engine = open_engine("revm")
    try:
        scenario = small(
            "venue.perps.market.ETH.band_bps=100", "venue.perps.market.BTC.band_bps=100"
        )
        trace = Stage(scenario, 3, engine).play(UNCUT)
    finally:
        engine.close()
    reasons = {row.reason.split("(")[0] for row in trace.transactions if row.action == "reduce"}
    assert "PriceOutOfBand" in reasons
    assert any(row.venue == "perps" for row in trace.liquidations)
