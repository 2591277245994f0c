"""The pooled market's rules, one by one, each on the deployed contract."""

from __future__ import annotations

from typing import Any

import pytest

from harness.accounts import account

WAD = 10**18
RAY = 10**27
PRICE = 10**8
MAX = (1 << 256) - 1
YEAR = 365 * 24 * 3600


def me(name: str) -> bytes:
    return account(name).address


def borrower(rig: Any, eth: int = 10, usd: int = 15_000) -> None:
    """10 ETH at $2,000 against $15,000: LTV 75%, health factor 1.1333."""
    rig.supply("borrower", "ETH", eth * WAD)
    rig.borrow("borrower", "USD", usd * WAD)


# --- supply, withdraw, borrow, repay


def test_supply_moves_tokens_and_credits_claims(rig: Any) -> None:
    rig.supply("payer", "ETH", 3 * WAD, for_="alice")
    assert rig.claims_of("alice", "ETH") == 3 * WAD
    assert rig.balance("payer", "ETH") == 0
    assert rig.books("ETH").cash == 3 * WAD
    rig.assert_books_balance()


def test_withdraw_pays_all_when_asked_for_the_maximum(rig: Any) -> None:
    rig.supply("alice", "ETH", 3 * WAD)
    rig.withdraw("alice", "ETH", WAD)
    receipt = rig.withdraw("alice", "ETH")
    (event,) = rig.market.events(receipt.logs, "Withdraw")
    assert event == {
        "asset": rig.asset("ETH"),
        "account": me("alice"),
        "to": me("alice"),
        "assets": 2 * WAD,
    }
    assert rig.balance("alice", "ETH") == 3 * WAD
    assert rig.books("ETH").scaled_supply == 0


def test_withdraw_above_claims_is_refused(rig: Any) -> None:
    rig.supply("alice", "ETH", 3 * WAD)
    with rig.chain.reverts("InsufficientClaims", rig.asset("ETH"), 3 * WAD, 3 * WAD + 1):
        rig.withdraw("alice", "ETH", 3 * WAD + 1)


def test_borrow_reaches_the_ltv_and_no_further(rig: Any) -> None:
    rig.supply("alice", "ETH", 10 * WAD)
    with rig.chain.reverts("BorrowLimitExceeded", me("alice"), 16_000 * WAD + 1, 16_000 * WAD):
        rig.borrow("alice", "USD", 16_000 * WAD + 1)
    rig.borrow("alice", "USD", 16_000 * WAD)
    assert rig.health("alice") == 85 * WAD // 80


def test_borrowing_against_nothing_is_refused(rig: Any) -> None:
    with rig.chain.reverts("BorrowLimitExceeded", me("alice"), 1, 0):
        rig.borrow("alice", "USD", 1)


def test_withdraw_keeps_the_health_factor_at_one_or_more(rig: Any) -> None:
    rig.supply("alice", "ETH", 10 * WAD)
    rig.borrow("alice", "USD", 8_500 * WAD)
    # 5 ETH x $2,000 x 85% = $8,500: a health factor of exactly 1 is healthy.
    with rig.chain.reverts("Unhealthy"):
        rig.withdraw("alice", "ETH", 5 * WAD + 10**4)
    rig.withdraw("alice", "ETH", 5 * WAD)
    assert rig.health("alice") == WAD
    with rig.chain.reverts("Healthy", me("alice"), WAD):
        rig.liquidate("alice", "ETH", "USD")


def test_withdraw_and_healthy_views_need_no_price_without_debt(rig: Any) -> None:
    rig.supply("alice", "ETH", WAD)
    rig.price("ETH", 0)
    assert rig.health("alice") == MAX
    rig.withdraw("alice", "ETH")


def test_repay_takes_no_more_than_the_debt(rig: Any) -> None:
    borrower(rig)
    rig.fund("borrower", "USD", 5_000 * WAD)
    rig.repay("borrower", "USD", 10**30)
    assert rig.balance("borrower", "USD") == 5_000 * WAD
    assert rig.debt_of("borrower", "USD") == 0
    assert rig.health("borrower") == MAX


def test_anyone_may_repay_for_another(rig: Any) -> None:
    borrower(rig)
    rig.fund("friend", "USD", 1_000 * WAD)
    rig.repay("friend", "USD", 1_000 * WAD, for_="borrower")
    assert rig.debt_of("borrower", "USD") == 14_000 * WAD


@pytest.mark.parametrize(
    ("function", "args"),
    [
        ("supply", (0, me("alice"))),
        ("withdraw", (0, me("alice"), me("alice"))),
        ("withdraw", (MAX, me("alice"), me("alice"))),
        ("borrow", (0, me("alice"), me("alice"))),
        ("repay", (0, me("borrower"))),
        ("repay", (MAX, me("alice"))),
        ("coverDeficit", (MAX,)),
        ("coverDeficitFromReserves", ()),
    ],
)
def test_doing_nothing_is_refused(rig: Any, function: str, args: tuple[Any, ...]) -> None:
    borrower(rig)
    with rig.chain.reverts("ZeroAmount"):
        rig.send("alice", function, rig.asset("USD"), *args)


def test_an_unlisted_asset_is_refused(rig: Any) -> None:
    stranger = rig.chain.token("NONE")
    for function, args in (
        ("supply", (WAD, me("alice"))),
        ("withdraw", (WAD, me("alice"), me("alice"))),
        ("borrow", (WAD, me("alice"), me("alice"))),
        ("repay", (WAD, me("alice"))),
    ):
        with rig.chain.reverts("NotListed", stranger):
            rig.send("alice", function, stranger.address, *args)


# --- authorisation


@pytest.mark.parametrize("function", ["withdraw", "borrow"])
def test_only_the_owner_or_an_operator_takes_out(rig: Any, function: str) -> None:
    rig.supply("alice", "USD", 100 * WAD)
    args = (rig.asset("USD"), WAD, me("alice"), me("mallory"))
    with rig.chain.reverts("NotAuthorised", me("alice"), me("mallory")):
        rig.send("mallory", function, *args)
    rig.send("alice", "setOperator", me("mallory"), True)
    rig.send("mallory", function, *args)
    assert rig.balance("mallory", "USD") == WAD
    rig.send("alice", "setOperator", me("mallory"), False)
    with rig.chain.reverts("NotAuthorised", me("alice"), me("mallory")):
        rig.send("mallory", function, *args)


def test_only_the_admin_configures(rig: Any) -> None:
    for function, config in (
        ("listAsset", rig.config("ETH")),
        ("setAssetConfig", rig.config("ETH")),
        ("setLiquidationConfig", (5_000, 0, 0, 0)),
    ):
        with rig.chain.reverts("NotAdmin", me("mallory")):
            rig.send("mallory", function, config)


def test_an_asset_is_listed_once(rig: Any) -> None:
    with rig.chain.reverts("AlreadyListed", rig.asset("ETH")):
        rig.send("admin", "listAsset", rig.config("ETH"))


@pytest.mark.parametrize(
    ("field", "config"),
    [
        ("liquidationThresholdBps", {"threshold": 10_001}),
        ("ltvBps", {"ltv": 8_501}),
        ("protocolShareBps", {"protocol_share": 10_001}),
        ("reserveFactorBps", {"reserve_factor": 10_001}),
        ("kinkRay", {"kink": 0}),
        ("kinkRay", {"kink": RAY}),
        ("maxAnswer", {"min_answer": 5, "max_answer": 5}),
    ],
)
def test_a_configuration_out_of_range_is_refused(
    rig: Any, field: str, config: dict[str, int]
) -> None:
    with rig.chain.reverts("InvalidConfig", rig.asset("ETH"), field):
        rig.configure("ETH", **config)


@pytest.mark.parametrize("close_factor", [0, 10_001])
def test_a_close_factor_out_of_range_is_refused(rig: Any, close_factor: int) -> None:
    with rig.chain.reverts("InvalidConfig", bytes(20), "closeFactorBps"):
        rig.send("admin", "setLiquidationConfig", (close_factor, 0, 0, 0))


def test_tokens_and_feeds_beyond_18_decimals_are_refused(rig: Any) -> None:
    with rig.chain.reverts("InvalidConfig"):
        rig.list("FINE", PRICE, decimals=19)
    with rig.chain.reverts("InvalidConfig"):
        rig.list("SHARP", PRICE, feed_decimals=19)


# --- caps


def test_supply_stops_at_the_cap(rig: Any) -> None:
    rig.configure("ETH", supply_cap=5 * WAD)
    rig.supply("alice", "ETH", 5 * WAD)
    with rig.chain.reverts("SupplyCapExceeded", rig.asset("ETH"), 5 * WAD, 5 * WAD + 1):
        rig.supply("bob", "ETH", 1)


def test_borrowing_stops_at_the_cap(rig: Any) -> None:
    rig.configure("USD", borrow_cap=1_000 * WAD)
    rig.supply("alice", "ETH", 10 * WAD)
    rig.borrow("alice", "USD", 1_000 * WAD)
    with rig.chain.reverts("BorrowCapExceeded", rig.asset("USD"), 1_000 * WAD, 1_000 * WAD + 1):
        rig.borrow("alice", "USD", 1)


# --- feeds


def test_a_stale_feed_stops_borrowing_withdrawal_in_debt_and_liquidation(rig: Any) -> None:
    rig.configure("ETH", max_age=3_600)
    borrower(rig)
    rig.chain.wait(3_601)
    for act in (
        lambda: rig.borrow("borrower", "USD", WAD),
        lambda: rig.withdraw("borrower", "ETH", WAD),
        lambda: rig.liquidate("borrower", "ETH", "USD"),
    ):
        with rig.chain.reverts("StalePrice"):
            act()
    rig.supply("borrower", "ETH", WAD)
    rig.fund("borrower", "USD", WAD)
    rig.repay("borrower", "USD", WAD)
    rig.price("ETH", 2_000 * PRICE)
    rig.borrow("borrower", "USD", WAD)


@pytest.mark.parametrize("answer", [0, -1, 100 * PRICE, 10_000 * PRICE])
def test_an_answer_at_or_beyond_a_bound_is_refused(rig: Any, answer: int) -> None:
    borrower(rig)
    rig.configure("ETH", min_answer=100 * PRICE, max_answer=10_000 * PRICE)
    rig.price("ETH", answer)
    with rig.chain.reverts("AnswerOutOfBounds", rig.feeds["ETH"], answer):
        rig.liquidate("borrower", "ETH", "USD")
    with rig.chain.reverts("AnswerOutOfBounds", rig.feeds["ETH"], answer):
        rig.read("healthFactor", me("borrower"))


def test_the_feed_of_an_asset_not_held_does_not_matter(rig: Any) -> None:
    rig.list("OTHER", PRICE)
    borrower(rig)
    rig.price("OTHER", 0)
    rig.price("ETH", 1_700 * PRICE)
    event = rig.liquidate("borrower", "ETH", "USD")
    assert event["prices"] == (1_700 * WAD, WAD, 0)
    assert event["positionBefore"][2] == 0


# --- cash


def test_cash_exhausted_stops_withdrawal_and_borrowing(rig: Any) -> None:
    rig.supply("whale", "ETH", 10_000 * WAD)
    rig.borrow("whale", "USD", 999_999 * WAD)
    with rig.chain.reverts("InsufficientCash", rig.asset("USD"), WAD, WAD + 1):
        rig.withdraw("supplier", "USD", WAD + 1)
    with rig.chain.reverts("InsufficientCash", rig.asset("USD"), WAD, 2 * WAD):
        rig.borrow("whale", "USD", 2 * WAD)
    rig.withdraw("supplier", "USD", WAD)


def test_a_donation_is_not_cash(rig: Any) -> None:
    rig.chain.mint(rig.tokens["USD"], rig.market.address, 10**30)
    assert rig.books("USD").cash == 1_000_000 * WAD
    assert rig.books("USD").supply_index == RAY
    with rig.chain.reverts("InsufficientClaims"):
        rig.withdraw("supplier", "USD", 1_000_000 * WAD + 1)


# --- reentrancy


def test_a_token_with_hooks_cannot_reenter(rig: Any) -> None:
    token = rig.chain.deploy("ReentrantToken")
    rig.list("HOOK", PRICE, token=token)
    nobody = me("nobody")
    entries = {
        "supply": (token.address, WAD, nobody),
        "withdraw": (token.address, WAD, token.address, nobody),
        "borrow": (token.address, WAD, token.address, nobody),
        "repay": (token.address, WAD, nobody),
        "liquidate": (nobody, token.address, token.address, WAD, False, nobody),
        "coverDeficit": (token.address, WAD),
        "coverDeficitFromReserves": (token.address,),
    }
    expected = rig.market.artifact
    selector = next(code for code, (name, _) in expected.errors.items() if name == "Reentrancy")
    for function, args in entries.items():
        call = rig.market.encode(function, *args)
        rig.chain.send(nobody, token, "arm", rig.market.address, call)
        rig.chain.send(nobody, token, "mint", nobody, WAD)
        rig.send("nobody", "supply", token.address, WAD, nobody)
        assert rig.chain.read(token, "outcome") == selector, function
        rig.send("nobody", "withdraw", token.address, WAD, nobody, nobody)
        assert rig.chain.read(token, "outcome") == selector, function


# --- interest


def test_interest_follows_the_kinked_curve(rig: Any) -> None:
    rig.configure(
        "USD", base_rate=RAY // 100, slope1=4 * RAY // 100, slope2=RAY * 3 // 4, kink=8 * RAY // 10
    )
    usd = rig.asset("USD")
    rig.supply("whale", "ETH", 10_000 * WAD)
    assert rig.read("borrowRateRay", usd) == RAY // 100
    rig.borrow("whale", "USD", 400_000 * WAD)
    assert rig.read("borrowRateRay", usd) == pytest.approx(0.03 * RAY, rel=1e-6)
    rig.borrow("whale", "USD", 400_000 * WAD)
    assert rig.read("borrowRateRay", usd) == pytest.approx(0.05 * RAY, rel=1e-6)
    rig.borrow("whale", "USD", 100_000 * WAD)
    assert rig.read("borrowRateRay", usd) == pytest.approx(0.425 * RAY, rel=1e-6)


def test_a_year_of_interest_is_shared_between_suppliers_and_reserves(rig: Any) -> None:
    rig.configure("USD", base_rate=RAY // 10, reserve_factor=1_000)
    rig.supply("whale", "ETH", 10_000 * WAD)
    rig.borrow("whale", "USD", 500_000 * WAD)
    rig.chain.wait(YEAR)
    books = rig.books("USD")
    # e^0.1 to its third term
    interest = 500_000 * WAD * (1 + 1 / 20 + 1 / 600) / 10
    assert books.debt - 500_000 * WAD == pytest.approx(interest, rel=1e-12)
    assert books.claims - 1_000_000 * WAD == pytest.approx(0.9 * interest, rel=1e-12)
    assert books.reserves == pytest.approx(0.1 * interest, rel=1e-12)
    rig.assert_books_balance()


def test_new_rates_do_not_touch_the_past(rig: Any) -> None:
    rig.configure("USD", base_rate=RAY // 10)
    rig.supply("whale", "ETH", 10_000 * WAD)
    rig.borrow("whale", "USD", 500_000 * WAD)
    rig.chain.wait(YEAR)
    before = rig.books("USD").debt
    rig.configure("USD", base_rate=10 * RAY)
    rate = 0.1 * (1 / YEAR)
    assert rig.books("USD").debt == pytest.approx(before * (1 + rate), rel=1e-12)


def test_interest_does_not_lift_the_index_of_a_last_wei(rig: Any) -> None:
    """Reserves that fund debt earn their own interest: the supplier of a wei does not get it."""
    rig.configure("USD", base_rate=RAY, reserve_factor=10_000)
    rig.supply("whale", "ETH", 10_000 * WAD)
    rig.borrow("whale", "USD", 900_000 * WAD)
    rig.chain.wait(2 * YEAR)
    rig.fund("whale", "USD", 10**7 * WAD)
    rig.repay("whale", "USD")
    rig.configure("USD", reserve_factor=0)
    rig.withdraw("supplier", "USD", 1_000_000 * WAD - 1)
    assert rig.claims_of("supplier", "USD") == 1
    rig.borrow("whale", "USD", 500_000 * WAD)
    rig.chain.wait(10 * YEAR)
    books = rig.books("USD")
    assert books.supply_index < 1_000 * RAY
    assert books.reserves > 10**8 * WAD
    rig.assert_books_balance()


# --- deficit


def with_deficit(rig: Any) -> int:
    """An account liquidated beyond repair; the USD deficit it leaves."""
    borrower(rig)
    rig.price("ETH", 1_000 * PRICE)
    event = rig.liquidate("borrower", "ETH", "USD")
    (bad,) = event["bad_debt"]
    assert bad["account"] == me("borrower")
    assert bad["asset"] == rig.asset("USD")
    assert bad["usdWad"] == bad["assets"] == rig.books("USD").deficit
    return int(bad["assets"])


def test_bad_debt_is_written_off_when_the_last_collateral_is_gone(rig: Any) -> None:
    deficit = with_deficit(rig)
    # $10,000 of collateral repays 10,000 / 1.05
    assert deficit == pytest.approx(15_000 * WAD - 10_000 * WAD / 1.05, rel=1e-15)
    assert rig.position("borrower") == {"ETH": (0, 0), "USD": (0, 0)}
    assert rig.health("borrower") == MAX
    rig.assert_books_balance()


def test_anyone_may_pay_for_a_deficit(rig: Any) -> None:
    deficit = with_deficit(rig)
    rig.fund("donor", "USD", deficit + 5)
    rig.send("donor", "coverDeficit", rig.asset("USD"), 1_000)
    assert rig.books("USD").deficit == deficit - 1_000
    receipt = rig.send("donor", "coverDeficit", rig.asset("USD"), MAX)
    (event,) = rig.market.events(receipt.logs, "DeficitCovered")
    assert event["payer"] == me("donor")
    assert event["assets"] == deficit - 1_000
    assert rig.balance("donor", "USD") == 5
    assert rig.books("USD").deficit == 0
    rig.assert_books_balance()


def test_reserves_cover_a_deficit_as_far_as_they_go(rig: Any) -> None:
    rig.configure("USD", base_rate=RAY // 10, reserve_factor=5_000)
    rig.supply("whale", "ETH", 10_000 * WAD)
    rig.borrow("whale", "USD", 1_000 * WAD)
    rig.chain.wait(YEAR)
    deficit = with_deficit(rig)
    reserves = rig.books("USD").reserves
    assert 0 < reserves < deficit
    receipt = rig.send("anyone", "coverDeficitFromReserves", rig.asset("USD"))
    (event,) = rig.market.events(receipt.logs, "DeficitCovered")
    assert event["payer"] == bytes(20)
    after = rig.books("USD")
    assert event["assets"] >= reserves
    assert after.deficit == deficit - event["assets"]
    assert after.reserves <= 1
    rig.assert_books_balance()


def test_a_deficit_falls_on_whoever_withdraws_last(rig: Any) -> None:
    deficit = with_deficit(rig)
    books = rig.books("USD")
    assert books.cash == books.claims + books.reserves - deficit
    with rig.chain.reverts("InsufficientCash"):
        rig.withdraw("supplier", "USD")
    rig.withdraw("supplier", "USD", books.cash)
