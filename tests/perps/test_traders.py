"""Traders as they are drawn, and what they do when they are called."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import ScenarioError
from harness.run import set_up
from harness.scenario import load_scenario
from harness.traders import account_word, build_traders

WAD = 10**18
PRICES = {"ETH": 3000 * 10**8, "BTC": 90_000 * 10**8, "USDC": 10**8}


def equity(trader) -> float:
    units = {"USDC": 10**6, "ETH": WAD, "BTC": 10**8}
    return sum(
        amount / units[symbol] * PRICES[symbol] / 10**8
        for held in trader.accounts
        for symbol, amount in held.deposits
    )


def notional(trader) -> float:
    return sum(
        abs(size) / WAD * PRICES[symbol] / 10**8
        for held in trader.accounts
        for symbol, size in held.positions
    )


def pays(trader) -> bool:
    return trader.answer == "meet"


def built(small, *overrides: str, seed: int = 1):
    scenario = small(*overrides)
    return build_traders(scenario, seed, PRICES)["perps"]


def test_equity_adds_up_and_leverage_is_as_distributed(small) -> None:
    traders = [
        trader
        for trader in built(
            small, "population.traders.count=1500", "population.traders.leverage.sigma=0.4"
        )
        if trader.group == "traders"
    ]
    assert sum(map(equity, traders)) == pytest.approx(900_000, rel=1e-4)
    leverages = np.array([notional(trader) / equity(trader) for trader in traders])
    assert leverages.min() >= 2 * 0.999
    assert leverages.max() <= 12 * 1.001
    # truncated at 2 and 12, the median of 6 moves by less than the sampling error of 1,500 draws
    assert np.median(leverages) == pytest.approx(5.9, rel=0.05)


def test_shares_of_longs_isolated_accounts_and_answers(small) -> None:
    traders = built(small, "population.traders.count=2000", "population.traders.isolated_bps=3000")
    drawn = [trader for trader in traders if trader.group == "traders"]
    longs = sum(trader.accounts[0].positions[0][1] > 0 for trader in drawn)
    isolated = sum(bool(trader.accounts[0].isolated) for trader in drawn)
    # four standard deviations of a binomial with 2,000 draws
    assert longs == pytest.approx(1600, abs=4 * (2000 * 0.8 * 0.2) ** 0.5)
    assert isolated == pytest.approx(600, abs=4 * (2000 * 0.3 * 0.7) ** 0.5)
    for answer, share in (("meet", 0.25), ("sell", 0.2), ("borrow", 0.2), ("reduce", 0.2)):
        count = sum(trader.answer == answer for trader in drawn)
        assert count == pytest.approx(2000 * share, abs=4 * (2000 * share * (1 - share)) ** 0.5)


def test_a_larger_share_that_pays_holds_everybody_who_paid_before(small) -> None:
    few, many = (
        {
            t.index
            for t in built(small, f"population.traders.response.meet_bps={bps}")
            if t.answer == "meet"
        }
        for bps in (2000, 4000)
    )
    assert few <= many


def test_populations_alike_differ_in_nothing_but_what_is_said(small, tmp_path) -> None:
    scenario = load_scenario("cross-margin-contagion")
    prices = {symbol: path[0] for symbol, path in set_up(scenario, 1)[0].items()}
    traders = build_traders(scenario, 1, prices)
    for one, other in zip(traders["cross"], traders["isolated"], strict=True):
        assert [h.isolated for h in one.accounts] == [""]
        assert len(other.accounts) == 3
        positions = dict(p for held in other.accounts for p in held.positions)
        assert dict(one.accounts[0].positions) == positions
        whole = dict(one.accounts[0].deposits)["USDC"]
        assert 0 <= whole - sum(dict(h.deposits)["USDC"] for h in other.accounts) < 3


def test_sub_accounts_and_isolated_ones_have_words_of_their_own(small) -> None:
    traders = [trader for trader in built(small) if trader.group == "apart"]
    owner = traders[0].owner
    assert account_word(owner) == owner + bytes(12)
    assert account_word(owner, 1, 5) == owner + (2).to_bytes(2, "big") + (5).to_bytes(10, "big")
    for trader in traders:
        assert {held.sub for held in trader.accounts} == {0, 1}
        assert all(held.isolated == held.positions[0][0] for held in trader.accounts)


@pytest.mark.parametrize(
    ("answer", "actions", "outcome"),
    [
        ("meet", {"pay_in"}, "met"),
        ("sell", {"raise_cash", "pay_in"}, "met"),
        ("borrow", {"raise_loan", "pay_in"}, "met"),
        ("reduce", {"reduce"}, "reduced"),
    ],
)
def test_each_answer_ends_calls(play, answer: str, actions: set[str], outcome: str) -> None:
    """A slow fall of 8%, and accounts that have time: most calls end by what their holders do."""
    others = [
        f"population.traders.response.{a}_bps=0" for a in ("meet", "sell", "borrow", "reduce")
    ]
    result = play(
        *others,
        f"population.traders.response.{answer}_bps=10000",
        "population.traders.response.cash_bps=10000",
        "population.apart.response.meet_bps=0",
        "asset.ETH.price.shock=[{at_s=60, factor=0.92, ramp_s=840}]",
        "asset.BTC.price.shock=[{at_s=60, factor=0.95, ramp_s=840}]",
    )
    done = {row.action for row in result.run.transactions if row.status == "succeeded"}
    mine = {"pay_in", "reduce", "raise_cash", "raise_loan"} & done
    assert mine == actions
    calls = [c for c in result.run.calls["perps"] if c.account < 24]
    assert calls
    answered = [call for call in calls if call.outcome == outcome]
    assert len(answered) >= len(calls) / 2
    assert all(call.end == "restored" for call in answered if call.ended is not None)


@pytest.mark.parametrize(("answer", "action"), [("meet", "pay_in"), ("sell", "raise_cash")])
def test_accounts_of_one_owner_share_its_purse(play, answer: str, action: str) -> None:
    """Called in the same fall, they pay in or sell what it has once, also while an order waits."""
    others = [
        f"population.traders.response.{a}_bps=0" for a in ("meet", "sell", "borrow", "reduce")
    ]
    result = play(
        *others,
        f"population.traders.response.{answer}_bps=10000",
        "population.traders.sub_accounts=3",
        "population.traders.response.bid={base_gwei=1, escalation_bps=5000}",
        "block_space.background_bid_gwei=[[0, 0], [120, 3], [300, 0], [420, 3]]",
    )
    sent = [row for row in result.run.transactions if row.action == action and row.place >= 0]
    assert len(sent) > 20
    assert not [row.reason for row in sent if "InsufficientBalance" in row.reason]


def test_who_cannot_pay_is_liquidated_more(play) -> None:
    payers = ("population.traders.response.cash_bps=20000",)
    closed = []
    for share in (0, 8000):
        result = play(
            *payers,
            *[f"population.traders.response.{a}_bps=0" for a in ("sell", "borrow", "reduce")],
            f"population.traders.response.meet_bps={share}",
        )
        closed.append(result.summary["liquidations"]["by_venue"]["perps"]["repaid_usd"])
    assert closed[1] < closed[0] * 0.7


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("venue.perps.vault=0", "venue[3].vault = 0.0: above 0"),
        ("venue.perps.settlement=DOGE", "venue[3].settlement = 'DOGE': an asset's symbol"),
        ("venue.perps.market.ETH.tier=[]", "venue[3].market[0].tier = []: at least one tier"),
        (
            "venue.perps.market.ETH.tier=[{initial_bps=500, call_bps=600, maintenance_bps=100}]",
            "venue[3].market[0].tier[0].call_bps = 600: below initial_bps 500",
        ),
        (
            "venue.perps.market.ETH.tier=[{initial_bps=500, call_bps=300, maintenance_bps=300}]",
            "venue[3].market[0].tier[0].maintenance_bps = 300: below call_bps 300",
        ),
        ("venue.perps.market.ETH.long_cap=1", "venue[3].market[0].long_cap = 1.0: at least the"),
        ("venue.perps.fee_insurance_bps=5000", "venue[3].fee_insurance_bps = 5000: with fee_vault"),
        ("population.traders.venue=bank", "population[1].venue = 'bank': a perp-exchange venue"),
        ("population.traders.markets={DOGE = 1}", "population[1].markets.DOGE = 'DOGE': a market"),
        ("population.traders.markets_each=3", "population[1].markets_each = 3: at most the 2"),
        ("population.traders.leverage.max=40", "population[1].leverage = 'an equity of"),
        ("population.traders.response.lender=perps", "population[1].response.lender = 'perps'"),
        ("population.traders.response.holding=DOGE", "population[1].response.holding = 'DOGE'"),
        ("population.traders.response.reduce_bps=9000", "population[1].response.reduce_bps = 9000"),
        ("population.traders.like=traders", "population[1].like = 'traders': another population"),
        ("agent.caller.venue=bank", "agent[2].venue = 'bank': a perp-exchange venue"),
        ("agent.basis.market=DOGE", "agent[6].market = 'DOGE': a market of perps with a pool"),
        ("agent.desk.inventory={USDC = 1}", "agent[5].inventory.USDC = 'USDC': a market"),
        ("agent.basis.leverage=50", "agent[6].leverage = 'an equity of"),
    ],
)
def test_bad_input_is_one_line_with_the_field(small, override: str, message: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        set_up(small(override, "population.traders.leverage.sigma=1.5"), 1)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_exchange_that_nobody_calls_for_is_worth_a_warning(small) -> None:
    assert not small().warnings
    (warning,) = small("agent.caller.kind=funding-keeper").warnings
    assert "margin-caller" in warning
