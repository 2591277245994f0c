"""Aave v3.3's liquidation rules, each alone and all together, on the deployed contract."""

from __future__ import annotations

from typing import Any

import pytest

from harness.accounts import account

WAD = 10**18
PRICE = 10**8
BPS = 10_000
MAX = (1 << 256) - 1
AAVE = (5_000, 95 * 10**16, 2_000 * WAD, 1_000 * WAD)


def me(name: str) -> bytes:
    return account(name).address


def market(make_rig: Any, rules: tuple[int, int, int, int], **eth: Any) -> Any:
    """ETH at $2,000 (LT 85%, bonus 5%) and a USD coin."""
    rig = make_rig(rules)
    rig.list("ETH", 2_000 * PRICE, **eth)
    rig.list("USD", PRICE)
    rig.supply("supplier", "USD", 1_000_000 * WAD)
    return rig


def open_position(rig: Any, eth: int, usd: int, price: int) -> None:
    """A position in whole tokens at $2,000, then the price in whole dollars."""
    rig.supply("borrower", "ETH", eth * WAD)
    rig.borrow("borrower", "USD", usd * WAD)
    rig.price("ETH", price * PRICE)


# --- how much


def test_everything_off_closes_all_at_once(make_rig: Any) -> None:
    rig = market(make_rig, (BPS, 0, 0, 0))
    open_position(rig, 10, 15_000, 1_750)
    event = rig.liquidate("borrower", "ETH", "USD")
    assert event["repaid"] == 15_000 * WAD
    assert event["seized"] == 9 * WAD
    assert rig.position("borrower") == {"ETH": (WAD, 0), "USD": (0, 0)}


def test_close_factor_limits_one_liquidation(make_rig: Any) -> None:
    rig = market(make_rig, AAVE)
    open_position(rig, 10, 15_000, 1_750)  # health factor .9917
    event = rig.liquidate("borrower", "ETH", "USD")
    assert event["repaid"] == 7_500 * WAD


@pytest.mark.parametrize(("price", "repaid"), [(1_677, 7_500), (1_676, 15_000)])
def test_at_or_below_a_health_factor_all_may_be_closed(
    make_rig: Any, price: int, repaid: int
) -> None:
    rig = market(make_rig, (5_000, 95 * 10**16, 0, 0))
    open_position(rig, 10, 15_000, price)  # health factor .9503 and .9497
    assert rig.liquidate("borrower", "ETH", "USD")["repaid"] == repaid * WAD


def test_full_close_at_a_health_factor_can_be_off(make_rig: Any) -> None:
    rig = market(make_rig, (5_000, 0, 0, 0))
    open_position(rig, 10, 15_000, 1_600)
    assert rig.liquidate("borrower", "ETH", "USD")["repaid"] == 7_500 * WAD


def test_full_close_stays_off_at_a_health_factor_of_zero(make_rig: Any) -> None:
    rig = market(make_rig, (5_000, 0, 0, 0))
    open_position(rig, 10, 15_000, 2_000)
    rig.configure("ETH", ltv=0, threshold=0)
    assert rig.health("borrower") == 0
    assert rig.liquidate("borrower", "ETH", "USD")["repaid"] == 7_500 * WAD


@pytest.mark.parametrize(("below", "repaid"), [(1_500, 750), (1_501, 1_500)])
def test_a_small_debt_may_be_closed_in_full(make_rig: Any, below: int, repaid: int) -> None:
    rig = market(make_rig, (5_000, 0, below * WAD, 0))
    open_position(rig, 1, 1_500, 1_750)
    assert rig.liquidate("borrower", "ETH", "USD")["repaid"] == repaid * WAD


@pytest.mark.parametrize(("below", "repaid"), [(700, 600 * WAD), (701, 2_000 * WAD // 3 + 1)])
def test_a_small_collateral_lifts_the_close_factor(make_rig: Any, below: int, repaid: int) -> None:
    """$700 of collateral repays $666.67: more than half of the debt of $1,200."""
    rig = market(make_rig, (5_000, 0, below * WAD, 0))
    rig.list("OTHER", PRICE)
    rig.supply("borrower", "OTHER", 700 * WAD)
    open_position(rig, 1, 1_200, 600)
    event = rig.liquidate("borrower", "OTHER", "USD")
    assert event["repaid"] == repaid


def test_close_factor_is_a_share_of_the_whole_debt(make_rig: Any) -> None:
    """Aave v3.3: a debt below half of all debts may be closed in full."""
    rig = market(make_rig, (5_000, 0, 0, 0))
    rig.list("EUR", PRICE)
    rig.supply("supplier", "EUR", 100_000 * WAD)
    rig.supply("borrower", "ETH", 10 * WAD)
    rig.borrow("borrower", "EUR", 6_000 * WAD)
    rig.borrow("borrower", "USD", 9_000 * WAD)
    rig.price("ETH", 1_750 * PRICE)
    with rig.undone():
        assert rig.liquidate("borrower", "ETH", "EUR")["repaid"] == 6_000 * WAD
    assert rig.liquidate("borrower", "ETH", "USD")["repaid"] == 7_500 * WAD


@pytest.mark.parametrize("amount", [WAD, 1_000 * WAD, 7_499 * WAD])
def test_a_liquidator_may_repay_less(make_rig: Any, amount: int) -> None:
    rig = market(make_rig, (5_000, 0, 0, 0))
    open_position(rig, 10, 15_000, 1_750)
    event = rig.liquidate("borrower", "ETH", "USD", amount)
    assert event["repaid"] == amount
    assert event["seized"] == amount * 105 // 100 // 1_750


# --- dust


def test_a_liquidation_must_not_leave_dust(make_rig: Any) -> None:
    rig = market(make_rig, (BPS, 0, 0, 1_000 * WAD))
    open_position(rig, 10, 15_000, 1_750)
    with rig.chain.reverts("MustNotLeaveDust"):
        rig.liquidate("borrower", "ETH", "USD", 14_000 * WAD + 1)
    with rig.undone():
        rig.liquidate("borrower", "ETH", "USD", 14_000 * WAD)
        assert rig.debt_of("borrower", "USD") == 1_000 * WAD
    rig.liquidate("borrower", "ETH", "USD", 15_000 * WAD)


def test_the_dust_rule_looks_at_collateral_too(make_rig: Any) -> None:
    """Repaying 14,900 of 16,000 would seize $15,645 of $16,000."""
    rig = market(make_rig, (BPS, 0, 0, 1_000 * WAD))
    open_position(rig, 10, 16_000, 1_600)
    with rig.chain.reverts("MustNotLeaveDust", me("borrower"), 1_100 * WAD, 355 * WAD):
        rig.liquidate("borrower", "ETH", "USD", 14_900 * WAD)
    # All of the collateral leaves no dust, whatever debt is left over: that is bad debt.
    assert rig.liquidate("borrower", "ETH", "USD")["bad_debt"]


def test_the_dust_rule_can_be_off(make_rig: Any) -> None:
    rig = market(make_rig, (BPS, 0, 0, 0))
    open_position(rig, 10, 15_000, 1_750)
    rig.liquidate("borrower", "ETH", "USD", 15_000 * WAD - 1)
    assert rig.debt_of("borrower", "USD") == 1


# --- who gets what


def test_the_protocol_shares_the_bonus_only(make_rig: Any) -> None:
    rig = market(make_rig, (BPS, 0, 0, 0), protocol_share=1_000)
    open_position(rig, 10, 15_000, 1_750)
    event = rig.liquidate("borrower", "ETH", "USD")
    taken = 9 * WAD
    bonus = taken - taken * 100 // 105
    assert event["protocolFee"] == -(-bonus // 10)
    assert event["seized"] == taken - event["protocolFee"]
    assert rig.balance("liquidator", "ETH") == event["seized"]
    assert rig.books("ETH").reserves == event["protocolFee"]
    assert rig.claims_of("borrower", "ETH") == WAD
    rig.assert_books_balance()


def test_the_event_holds_the_position_before(make_rig: Any) -> None:
    rig = market(make_rig, (5_000, 0, 0, 0), protocol_share=2_000)
    open_position(rig, 10, 15_000, 1_750)
    health = rig.health("borrower")
    words = rig.read("position", me("borrower"))
    quote = rig.read("quoteLiquidation", me("borrower"), rig.asset("ETH"), rig.asset("USD"), MAX)
    event = rig.liquidate("borrower", "ETH", "USD")
    assert event.pop("bad_debt") == []
    repaid, seized, fee, repaid_usd, seized_usd, quoted_health = quote
    assert event == {
        "account": me("borrower"),
        "liquidator": me("liquidator"),
        "collateralAsset": rig.asset("ETH"),
        "debtAsset": rig.asset("USD"),
        "repaid": repaid,
        "seized": seized,
        "protocolFee": fee,
        "repaidUsdWad": repaid_usd,
        "seizedUsdWad": seized_usd,
        "healthFactorBefore": health,
        "positionBefore": words,
        "prices": (1_750 * WAD, WAD),
    }
    assert quoted_health == health
    assert repaid_usd == repaid
    assert seized_usd == seized * 1_750
    assert words == ((10 * WAD) << 128, 15_000 * WAD)


def test_collateral_too_small_for_the_repayment_is_seized_whole(make_rig: Any) -> None:
    rig = market(make_rig, (BPS, 0, 0, 0))
    rig.list("OTHER", PRICE)
    rig.supply("borrower", "OTHER", 105 * WAD)
    open_position(rig, 10, 15_000, 1_700)
    event = rig.liquidate("borrower", "OTHER", "USD")
    assert event["seized"] == 105 * WAD
    assert event["repaid"] == 100 * WAD
    assert event["bad_debt"] == []


def test_bad_debt_waits_for_the_last_collateral(make_rig: Any) -> None:
    rig = market(make_rig, (BPS, 0, 0, 0))
    rig.list("OTHER", PRICE)
    rig.list("EUR", PRICE)
    rig.supply("supplier", "EUR", 100_000 * WAD)
    rig.supply("borrower", "OTHER", 105 * WAD)
    rig.supply("borrower", "ETH", 10 * WAD)
    rig.borrow("borrower", "EUR", 1_000 * WAD)
    rig.borrow("borrower", "USD", 14_000 * WAD)
    rig.price("ETH", 1_000 * PRICE)
    event = rig.liquidate("borrower", "ETH", "USD")
    assert event["bad_debt"] == []
    assert rig.books("USD").deficit == 0
    event = rig.liquidate("borrower", "OTHER", "EUR")
    assert [(bad["asset"], bad["assets"]) for bad in event["bad_debt"]] == [
        (rig.asset("USD"), rig.books("USD").deficit),
        (rig.asset("EUR"), 900 * WAD),
    ]
    assert rig.books("USD").deficit == pytest.approx(14_000 * WAD - 10_000 * WAD / 1.05, rel=1e-15)
    assert all(both == (0, 0) for both in rig.position("borrower").values())
    rig.assert_books_balance()


def test_collateral_that_does_not_count_can_be_seized(make_rig: Any) -> None:
    """An asset listed with a threshold of 0 does not keep bad debt from being written off."""
    rig = market(make_rig, (BPS, 0, 0, 0))
    rig.list("IDLE", PRICE, ltv=0, threshold=0, bonus=0)
    rig.supply("borrower", "IDLE", 50 * WAD)
    open_position(rig, 10, 15_000, 1_000)
    assert rig.liquidate("borrower", "ETH", "USD")["bad_debt"] == []
    event = rig.liquidate("borrower", "IDLE", "USD")
    assert event["seized"] == event["repaid"] == 50 * WAD
    assert len(event["bad_debt"]) == 1


def test_one_asset_may_be_both_collateral_and_debt(make_rig: Any) -> None:
    rig = market(make_rig, (BPS, 0, 0, 0), protocol_share=1_000)
    rig.supply("borrower", "USD", 1_000 * WAD)
    rig.supply("borrower", "ETH", WAD)
    rig.borrow("borrower", "USD", 2_400 * WAD)
    rig.price("ETH", 1_700 * PRICE)
    event = rig.liquidate("borrower", "USD", "USD", 500 * WAD)
    assert event["repaid"] == 500 * WAD
    assert event["seized"] + event["protocolFee"] == 525 * WAD
    assert rig.position("borrower")["USD"] == (475 * WAD, 1_900 * WAD)
    rig.assert_books_balance()


# --- refusals


def test_a_healthy_account_is_left_alone(make_rig: Any) -> None:
    rig = market(make_rig, (BPS, 0, 0, 0))
    open_position(rig, 10, 15_000, 1_765)
    with rig.chain.reverts("Healthy", me("borrower"), rig.health("borrower")):
        rig.liquidate("borrower", "ETH", "USD")
    rig.price("ETH", 1_764 * PRICE)
    rig.liquidate("borrower", "ETH", "USD")


def test_nobody_liquidates_itself(make_rig: Any) -> None:
    rig = market(make_rig, (BPS, 0, 0, 0))
    open_position(rig, 10, 15_000, 1_750)
    with rig.chain.reverts("SelfLiquidation", me("borrower")):
        rig.liquidate("borrower", "ETH", "USD", by="borrower")


def test_what_the_account_does_not_hold_cannot_be_liquidated(make_rig: Any) -> None:
    rig = market(make_rig, (BPS, 0, 0, 0))
    rig.list("OTHER", PRICE)
    open_position(rig, 10, 15_000, 1_750)
    with rig.chain.reverts("NothingToSeize", me("borrower"), rig.asset("OTHER")):
        rig.liquidate("borrower", "OTHER", "USD", WAD)
    with rig.chain.reverts("NothingToRepay", me("borrower"), rig.asset("OTHER")):
        rig.liquidate("borrower", "ETH", "OTHER", WAD)
    with rig.chain.reverts("ZeroAmount"):
        rig.liquidate("borrower", "ETH", "USD", 0)


# --- cash


def cash_short(rig: Any) -> None:
    """All ETH but one is lent out, and the borrower's account is liquidatable."""
    rig.supply("short", "USD", 100_000 * WAD)
    open_position(rig, 10, 15_000, 2_000)
    rig.borrow("short", "ETH", 9 * WAD)
    rig.price("ETH", 1_750 * PRICE)


def test_a_seizure_above_cash_is_refused(make_rig: Any) -> None:
    rig = market(make_rig, (BPS, 0, 0, 0))
    cash_short(rig)
    with rig.chain.reverts("InsufficientCash", rig.asset("ETH"), WAD, 9 * WAD):
        rig.liquidate("borrower", "ETH", "USD")


def test_a_seizure_above_cash_pays_in_claims(make_rig: Any) -> None:
    rig = market(make_rig, (BPS, 0, 0, 0), protocol_share=1_000)
    cash_short(rig)
    event = rig.liquidate("borrower", "ETH", "USD", claims=True)
    assert rig.claims_of("liquidator", "ETH") == event["seized"]
    assert rig.balance("liquidator", "ETH") == 0
    assert rig.books("ETH").cash == WAD
    assert rig.books("ETH").reserves == event["protocolFee"]
    rig.withdraw("liquidator", "ETH", WAD)
    rig.assert_books_balance()


def test_claims_go_where_the_liquidator_says(make_rig: Any) -> None:
    rig = market(make_rig, (BPS, 0, 0, 0))
    cash_short(rig)
    rig.supply("heir", "ETH", WAD)
    rig.fund("liquidator", "USD", 15_000 * WAD)
    receipt = rig.send(
        "liquidator",
        "liquidate",
        me("borrower"),
        rig.asset("ETH"),
        rig.asset("USD"),
        MAX,
        True,
        me("heir"),
    )
    (paid,) = rig.market.events(receipt.logs, "ClaimsSeized")
    assert paid == {
        "asset": rig.asset("ETH"),
        "from": me("borrower"),
        "to": me("heir"),
        "assets": 9 * WAD,
    }
    assert rig.claims_of("heir", "ETH") == 10 * WAD


def test_claims_may_return_to_the_account_itself(make_rig: Any) -> None:
    """A gift by the liquidator: the account is paid its own collateral back, the books hold."""
    rig = market(make_rig, (BPS, 0, 0, 0))
    open_position(rig, 10, 15_000, 1_750)
    rig.fund("liquidator", "USD", 15_000 * WAD)
    asset = (rig.asset("ETH"), rig.asset("USD"))
    rig.send("liquidator", "liquidate", me("borrower"), *asset, MAX, True, me("borrower"))
    assert rig.position("borrower") == {"ETH": (10 * WAD, 0), "USD": (0, 0)}
    rig.assert_books_balance()


# --- 6, 8 and 18 decimals


def test_decimals_are_converted_on_both_legs(make_rig: Any) -> None:
    """BTC with 8 decimals against a coin with 6: $60,000 of debt at a bonus of 5%."""
    rig = make_rig((BPS, 0, 0, 0))
    rig.list("BTC", 50_000 * PRICE, decimals=8, ltv=8_000, threshold=8_500)
    rig.list("USDC", PRICE, decimals=6, feed_decimals=8)
    rig.supply("supplier", "USDC", 10**6 * 10**6)
    rig.supply("borrower", "BTC", 2 * 10**8)
    rig.borrow("borrower", "USDC", 60_000 * 10**6)
    assert rig.health("borrower") == 85 * WAD // 60
    rig.price("BTC", 35_000 * PRICE)
    event = rig.liquidate("borrower", "BTC", "USDC")
    assert event["repaid"] == 60_000 * 10**6
    assert event["seized"] == 63_000 * 10**8 // 35_000
    assert event["repaidUsdWad"] == 60_000 * WAD
    assert event["seizedUsdWad"] == 63_000 * WAD
    rig.assert_books_balance()


@pytest.mark.parametrize("feed_decimals", [0, 6, 8, 18])
def test_feed_decimals_do_not_matter(make_rig: Any, feed_decimals: int) -> None:
    rig = make_rig((BPS, 0, 0, 0))
    rig.list("ETH", 2_000 * 10**feed_decimals, feed_decimals=feed_decimals)
    assert rig.read("priceWad", rig.asset("ETH")) == 2_000 * WAD
