"""Suppliers who run, liquidity that leaves a pool, and borrowers against a stale price."""

from __future__ import annotations

from math import isqrt

import pytest

from harness.accounts import account
from harness.errors import ScenarioError
from harness.metrics.losses import losses
from harness.metrics.suppliers import OTHERS, PASSIVE, parts, suppliers
from harness.scenario import (
    Bid,
    LiquidityProvider,
    PositionRow,
    StalePriceBorrower,
    StuckFeed,
    Supplier,
    Withdrawal,
)

WAD = 10**18
USDX = 10**6


def sent(result, action):
    return [row for row in result.run.transactions if row.action == action]


# --- suppliers --------------------------------------------------------------------------


def run_on_the_market(small, *agents, **changes):
    """A fall of 40% in one block: 1,000 USDX lent against 1 ETH, of 1,500 supplied by those who run
    and 100 by those who stay."""
    return small.run(
        small.scenario(
            **{
                "blocks": 14,
                "prices": ((0, 1300.0), (3, 780.0)),
                "positions": ((1.0, 1_000.0),),
                "debt": {"supplied": 100.0},
                "agents": agents,
                **changes,
            }
        ),
        1,
    )


def supplier(small, name, tokens=500.0, **changes):
    return Supplier(name, "market", "USDX", tokens, **{"bid": small.FREE, "loss_bps": 1, **changes})


def test_cash_goes_to_the_highest_bids_and_the_rest_are_left(small) -> None:
    bids = {"low": 1, "high": 3, "middle": 2}
    agents = [
        supplier(small, name, bid=Bid(base_gwei=gwei), fee_deposit=10)
        for name, gwei in bids.items()
    ]
    result = run_on_the_market(small, *agents)
    # 600 USDX of cash: 500 to the highest bid; the two others asked for all of theirs as well
    first = [row for row in sent(result, "withdraw") if row.block == 5]
    assert [(row.agent, row.status) for row in first] == [
        ("high", "succeeded"),
        ("middle", "reverted"),
        ("low", "reverted"),
    ]
    assert {row.reason.split("(")[0] for row in first[1:]} == {"InsufficientCash"}
    # the next takes what is left, and then there is nothing to ask for
    paid = {
        row.name: row.withdrawn
        for row in suppliers(result.run, result.world, result.scenario)[0].rows
    }
    assert paid == {"high": 500 * USDX, "middle": 100 * USDX, "low": 0, PASSIVE: 0}
    assert result.run.blocks[-1].venues["market"].states[1].cash == 0


def test_losses_of_those_who_are_left_add_up_to_the_markets(small) -> None:
    agents = (supplier(small, "some", 200.0, count=7), small.liquidator(latency_blocks=3))
    result = run_on_the_market(small, *agents, debt={"supplied": 133.333333})
    (table,) = suppliers(result.run, result.world, result.scenario)
    state = result.run.blocks[-1].venues["market"]
    assert state.bad_debt > 0
    assert table.uncovered == state.states[1].deficit - state.states[1].reserves
    assert sum(row.loss for row in table.rows) == table.uncovered + table.unrealised
    out = [row for row in table.rows if row.left == 0]
    left = [row for row in table.rows if row.left]
    assert out
    assert {row.loss for row in out} == {0}
    assert {row.name for row in left} >= {PASSIVE}
    claims = sum(row.left for row in left)
    for row in left:
        assert abs(row.loss - (table.uncovered + table.unrealised) * row.left / claims) < 1
    assert result.summary["suppliers"]["market"]["USDX"]["left"] == len(left)
    for asset in result.world.tokens:
        assert sum(row.amount for row in losses(result) if row.asset == asset) == 0


def test_unrealised_losses_are_the_shortfall_at_the_end(small) -> None:
    result = run_on_the_market(small, supplier(small, "one", 1_500.0))
    (table,) = suppliers(result.run, result.world, result.scenario)
    assert table.uncovered == 0
    shortfall = result.run.blocks[-1].venues["market"].shortfall_market
    assert abs(table.unrealised * WAD // USDX - shortfall) <= WAD // USDX
    assert table.unrealised == 220 * USDX
    assert sum(row.loss for row in table.rows) == table.unrealised


def test_borrowers_with_claims_in_the_asset_bear_their_part(small) -> None:
    rows = (PositionRow((("ETH", 1.0),), (("USDX", 1_000.0),)), PositionRow((("USDX", 400.0),), ()))
    result = run_on_the_market(small, supplier(small, "one", 1_000.0), positions=rows)
    (table,) = suppliers(result.run, result.world, result.scenario)
    others = next(row for row in table.rows if row.name == OTHERS)
    assert others.left == 400 * USDX
    assert others.loss > 0


@pytest.mark.parametrize(
    ("terms", "first"),
    [
        ({"loss_bps": 2_000}, 5),
        ({"loss_bps": 2_300}, None),
        ({"loss_bps": 0, "utilisation_bps": 6_000}, 1),
        ({"loss_bps": 0, "utilisation_bps": 7_000}, None),
        ({"loss_bps": 0, "withdrawal": Withdrawal("ETH", fall_bps=4_000)}, 4),
        ({"loss_bps": 0, "withdrawal": Withdrawal("ETH", fall_bps=4_100)}, None),
        ({"loss_bps": 2_000, "latency_blocks": 3}, 8),
    ],
)
def test_suppliers_run_for_the_stated_reason_when_it_is_there(small, terms, first) -> None:
    # the loss is 220 of 1,000; utilisation is 1,000 of 1,600
    result = run_on_the_market(small, supplier(small, "one", 1_500.0, **terms))
    blocks = [row.block for row in sent(result, "withdraw")]
    assert (blocks[0] if blocks else None) == first


def test_who_runs_gets_what_liquidators_bring_back(small) -> None:
    result = run_on_the_market(
        small, supplier(small, "one", 1_500.0), small.liquidator(latency_blocks=4)
    )
    withdrawals = sent(result, "withdraw")
    liquidated = result.run.liquidations[0].block
    assert [row.status for row in withdrawals] == ["succeeded"] * len(withdrawals)
    assert withdrawals[0].block < liquidated < withdrawals[-1].block


@pytest.mark.parametrize("seed", range(3))
def test_parts_add_up_and_are_in_proportion(seed) -> None:
    weights = [(seed + 1) * 7**i % 101 for i in range(9)]
    shares = parts(10**9 + seed, weights)
    assert sum(shares) == 10**9 + seed
    whole = sum(weights)
    assert all(
        abs(s * whole - (10**9 + seed) * w) < whole for s, w in zip(shares, weights, strict=True)
    )
    assert parts(5, [0, 0]) == [0, 0]


# --- collateral that is lent out --------------------------------------------------------


def test_a_liquidation_of_collateral_that_is_lent_out_fails_and_says_so(small) -> None:
    """A supplier of ETH takes the cash there is, which is the collateral of an account that must be
    liquidated after that: the rest of the ETH is lent."""
    rows = (
        PositionRow((("ETH", 1.0),), (("USDX", 1_000.0),)),
        PositionRow((("USDX", 30_000.0),), (("ETH", 10.0),)),
    )
    leaving = Supplier("leaving", "market", "ETH", 10.0, utilisation_bps=9_000, bid=small.FREE)
    result = small.run(
        small.scenario(
            prices=((0, 1300.0), (4, 1_200.0)),
            positions=rows,
            debt={"ltv_bps": 8000, "liquidation_threshold_bps": 8000},
            agents=(leaving, small.liquidator()),
        ),
        1,
    )
    assert [row.status for row in sent(result, "withdraw")] == ["succeeded"]
    tried = sent(result, "liquidate")
    assert tried
    assert {row.status for row in tried} == {"reverted"}
    assert {row.reason.split("(")[0] for row in tried} == {"InsufficientCash"}
    assert not result.run.liquidations
    assert result.run.blocks[-1].venues["market"].unhealthy == 1


# --- liquidity --------------------------------------------------------------------------


def provider(small, **changes):
    fall = Withdrawal("ETH", fall_bps=1_000)
    terms = {"share_bps": 4_000, "withdrawal": fall, "bid": small.FREE, **changes}
    return LiquidityProvider("provider", "pool", **terms)


def test_providers_take_out_their_part_once_in_the_fall(small) -> None:
    prices = ((0, 1000.0), (3, 890.0), (6, 700.0))
    scenario = small.scenario(prices=prices, agents=(provider(small, count=4, removed_bps=5_000),))
    result = small.run(scenario, 1)
    rows = sent(result, "remove_liquidity")
    assert sorted((row.agent, row.block, row.status) for row in rows) == [
        (f"provider-{i}", 4, "succeeded") for i in range(4)
    ]
    before, after = (result.run.blocks[i].reserves["pool"] for i in (3, 4))
    # a half of 40% of a pool of which 1,000 wei are locked for good
    for held, kept in zip(before, after, strict=True):
        assert kept == pytest.approx(held * 0.8, rel=1e-9)
    assert result.run.blocks[-1].reserves["pool"] == after
    owner = account("provider", 0).address
    place = list(result.world.holders).index(owner)
    assert result.run.closing_wallets.tokens["ETH"][place] == pytest.approx(
        before[0] / 20, rel=1e-9
    )
    whole = result.world.pools["pool"].liquidity
    assert whole == isqrt(before[0] * before[1]) - 1_000
    for asset in result.world.tokens:
        assert sum(row.amount for row in losses(result) if row.asset == asset) == 0


def test_a_thinner_pool_makes_the_same_fall_worse(small) -> None:
    def insolvency(*agents):
        scenario = small.scenario(
            blocks=16,
            prices=((0, 1000.0), (3, 890.0), (6, 820.0)),
            positions=[(1.0, 700.0 - i) for i in range(40)],
            pool_base=120.0,
            agents=(small.liquidator(min_profit_usd=0.01), *agents),
            expect="liquidations",
        )
        return small.run(scenario, 1).summary["liquidations"]

    deep, thin = insolvency(), insolvency(provider(small, share_bps=9_000))
    assert thin["liquidator_profit_usd"] < deep["liquidator_profit_usd"]


# --- a stale price ----------------------------------------------------------------------


def stale(small, *agents, **changes):
    """ETH falls to 890, which is told as 900, and then to 500, which is told as 900 too."""
    feed = StuckFeed("told", 900.0, within=(("told", small.feed()),))
    return small.run(
        small.scenario(
            **{
                "prices": ((0, 1000.0), (2, 890.0), (5, 500.0)),
                "feed": feed,
                "debt": {"supplied": 1e6},
                "external": {"depth_2pct_usd": 1e9},
                "agents": agents,
                **changes,
            }
        ),
        1,
    )


def taker(small, **changes):
    terms = {"capital_usd": 10_000.0, "share_bps": 10_000, "bid": small.FREE, **changes}
    return StalePriceBorrower("taker", "market", "ETH", "USDX", **terms)


def test_a_stale_price_is_taken_once_with_all_the_capital(small) -> None:
    result = stale(small, taker(small))
    (row,) = sent(result, "leverage")
    assert (row.block, row.status) == (6, "succeeded")
    words = result.run.closing["market"].words(0)
    # 10,000 USD buy 20 ETH at 500, worth 18,000 as told, of which 80% are lent
    assert (words[0] >> 128) / WAD == pytest.approx(20, rel=1e-3)
    assert (words[1] & (1 << 128) - 1) / USDX == pytest.approx(14_400, rel=1e-3)
    insolvency = result.summary["solvency"]["insolvency_usd"]
    assert insolvency == pytest.approx(4_400, rel=1e-2)
    assert not result.run.liquidations


@pytest.mark.parametrize(("gain", "taken"), [(4_300, True), (4_500, False)])
def test_it_is_taken_only_for_the_gain_asked_for(small, gain, taken) -> None:
    # 0.8 x 900 / 500 = 1.44
    result = stale(small, taker(small, min_gain_bps=gain))
    assert bool(sent(result, "leverage")) is taken


def test_proceeds_that_are_put_up_again_take_more(small) -> None:
    once, again = (
        stale(small, taker(small, reinvests=reinvests)).summary["solvency"]["insolvency_usd"]
        for reinvests in (False, True)
    )
    assert again > 10 * once


def test_no_more_is_taken_than_the_market_has(small) -> None:
    result = stale(small, taker(small, capital_usd=1e6), debt={"supplied": 1_000.0})
    (row,) = sent(result, "leverage")
    assert row.status == "succeeded"
    state = result.run.blocks[-1].venues["market"].states[1]
    assert state.cash < 2 * USDX
    assert state.total_debt > 998 * USDX


def test_a_thin_outside_market_bounds_what_is_taken(small) -> None:
    result = stale(
        small, taker(small, capital_usd=1e6), external={"depth_2pct_usd": 1_000.0}, seconds=1
    )
    rows = sent(result, "leverage")
    assert rows
    words = result.run.closing["market"].words(0)
    bought = (words[0] >> 128) / WAD
    # buying b of a depth D takes the price to 500 / (1 - b / D)^2; 10% is asked for on the average
    depth = 1_000 / 1000 / (0.98**-0.5 - 1)
    assert 500 / (1 - bought / depth) == pytest.approx(720 / 1.1, rel=1e-2)


def test_a_market_that_checks_the_minimum_lends_nothing_on_it(small) -> None:
    feed = StuckFeed("told", 900.0, within=(("told", small.feed()),), min_answer_usd=900.0)
    result = stale(small, taker(small), feed=feed)
    assert not sent(result, "leverage")
    assert result.summary["solvency"]["insolvency_usd"] == 0


def test_who_took_a_stale_price_is_liquidated_once_it_is_told(small) -> None:
    feed = StuckFeed("told", 900.0, within=(("told", small.feed()),))
    result = stale(
        small,
        taker(small),
        small.liquidator(),
        feed=feed,
        prices=((0, 1000.0), (2, 890.0), (4, 500.0), (8, 895.0), (10, 1000.0)),
    )
    assert not result.run.liquidations
    falling = stale(
        small, taker(small), small.liquidator(), feed=small.feed(latency_blocks=3), blocks=16
    )
    assert sent(falling, "leverage")[0].status == "succeeded"
    assert falling.run.liquidations
    assert falling.run.bad_debts


# --- refusals ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        (Supplier("s", "market", "USDX", 5.0), r"agent\[0\]\.loss_bps = 0: above 0"),
        (Supplier("s", "pool", "USDX", 5.0, loss_bps=1), r"agent\[0\]\.venue = .pool.: a pooled"),
        (Supplier("s", "market", "GOLD", 5.0, loss_bps=1), r"agent\[0\]\.asset = .GOLD."),
        (
            LiquidityProvider("p", "pool", 5_000, Withdrawal()),
            r"agent\[0\]\.withdrawal\.fall_bps = 0: above 0",
        ),
        (
            LiquidityProvider("p", "pool", 5_000, Withdrawal("GOLD", 5)),
            r"agent\[0\]\.withdrawal\.asset = .GOLD.",
        ),
        (
            StalePriceBorrower("b", "market", "ETH", "ETH", 5.0),
            r"agent\[0\]\.debt = .ETH.: not the collateral",
        ),
    ],
)
def test_participants_that_cannot_be_are_refused_in_one_line(small, agent, message) -> None:
    with pytest.raises(ScenarioError, match=message) as refused:
        small.scenario(agents=(agent,))
    assert "\n" not in str(refused.value)


def test_providers_cannot_have_more_than_the_pool(small) -> None:
    two = (
        provider(small, share_bps=6_000),
        LiquidityProvider("q", "pool", 5_000, Withdrawal("ETH", 5)),
    )
    with pytest.raises(ScenarioError, match="at most 10000 of pool together, not 11000"):
        small.scenario(agents=two)


def test_who_comes_for_a_stale_price_raises_a_bid_that_waits(small) -> None:
    rising = Bid(base_gwei=10, escalation_bps=10_000, max_gwei=50)
    space = {"background_bid_gwei": ((0, 50),)}
    result = stale(small, taker(small, bid=rising), space=space)
    (row,) = (row for row in result.run.transactions if row.action == "leverage")
    assert (row.status, row.block - row.available, row.bid) == ("succeeded", 4, 50 * 10**9)
