"""The isolated market's rules: who may do what, what is refused, and what rounding may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.accounts import account

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

WAD = 10**18
RAY = 10**27
USD = 10**8
MAX = (1 << 256) - 1
NO_LIMIT = (1 << 127) - 1
YEAR = 365 * 24 * 3600


def test_supply_lends_and_interest_makes_the_shares_dearer(make_isolated: Any) -> None:
    rig = make_isolated(base_rate=RAY // 10)
    rig.supply("supplier", 1_000 * WAD)
    assert rig.position("supplier").supply_shares == 1_000 * WAD * 10**6
    rig.add_collateral("alice", WAD)
    rig.borrow("alice", 500 * WAD)
    rig.chain.wait(YEAR)
    alice, supplier = rig.position("alice"), rig.position("supplier")
    # 10% compounded continuously, to the third term: 0.1 + 0.005 + 0.000166...
    assert alice.debt == pytest.approx(500 * WAD * 1.1051666666, rel=1e-9)
    assert supplier.supplied == pytest.approx(1_000 * WAD + 500 * WAD * 0.1051666666, rel=1e-9)
    assert rig.state().debt_tokens == 500 * WAD


def test_all_shares_clear_a_debt_and_all_shares_empty_a_supply(isolated: Any) -> None:
    isolated.add_collateral("alice", WAD)
    isolated.borrow("alice", 777 * WAD + 13)
    isolated.fund("alice", isolated.debt, WAD)
    alice, supplier = account("alice").address, account("supplier").address
    isolated.send("alice", "repay", 0, isolated.position("alice").borrow_shares, alice)
    assert isolated.position("alice")[1::3] == (0, 0)
    isolated.send("alice", "withdrawCollateral", WAD, alice, alice)
    shares = isolated.position("supplier").supply_shares
    isolated.send("supplier", "withdraw", 0, shares, supplier, supplier)
    state = isolated.state()
    assert state[:4] == (state.supply_assets, 0, 0, 0)
    assert state.debt_tokens == state.supply_assets <= 1


def test_a_fee_is_paid_in_supply(make_isolated: Any) -> None:
    rig = make_isolated(base_rate=RAY // 10, fee=WAD // 4)
    rig.supply("supplier", 1_000 * WAD)
    rig.add_collateral("alice", WAD)
    rig.borrow("alice", 500 * WAD)
    rig.chain.wait(YEAR)
    rig.send("anyone", "accrueInterest")
    state = rig.state()
    interest = state.borrow_assets - 500 * WAD
    treasury = rig.position("treasury")
    assert 0 <= interest // 4 - treasury.supplied <= 1
    assert rig.position("supplier").supply_shares + treasury.supply_shares == state.supply_shares


def test_only_the_owner_and_its_operator_take_out(isolated: Any, chain: Chain) -> None:
    isolated.add_collateral("alice", WAD)
    isolated.supply("alice", WAD)
    alice, bob = account("alice").address, account("bob").address
    calls = [
        ("withdraw", 1, 0, alice, bob),
        ("borrow", 1, 0, alice, bob),
        ("withdrawCollateral", 1, alice, bob),
    ]
    for call in calls:
        with chain.reverts("NotAuthorised", alice, bob):
            isolated.send("bob", *call)
    isolated.send("alice", "setOperator", bob, True)
    for call in calls:
        isolated.send("bob", *call)
    assert chain.balance(isolated.debt, bob) == 2
    assert chain.balance(isolated.collateral, bob) == 1
    isolated.send("alice", "setOperator", bob, False)
    with chain.reverts("NotAuthorised", alice, bob):
        isolated.send("bob", *calls[0])


def test_nothing_is_lent_beyond_the_lltv_or_the_cash(isolated: Any, chain: Chain) -> None:
    isolated.add_collateral("alice", WAD)
    limit = 2_000 * WAD * 86 // 100
    alice = account("alice").address
    with chain.reverts("Unhealthy"):
        isolated.borrow("alice", limit + 1)
    isolated.borrow("alice", limit)
    assert isolated.health("alice") == WAD
    with chain.reverts("Unhealthy"):
        isolated.send("alice", "withdrawCollateral", 1, alice, alice)
    isolated.add_collateral("bob", 10**6 * WAD)
    cash = 1_000_000 * WAD - limit
    with chain.reverts("InsufficientCash", cash, cash + 1):
        isolated.borrow("bob", cash + 1)
    isolated.borrow("bob", cash)
    supplier = account("supplier").address
    with chain.reverts("InsufficientCash", 0, 1):
        isolated.send("supplier", "withdraw", 1, 0, supplier, supplier)


def test_more_than_there_is_is_refused(isolated: Any, chain: Chain) -> None:
    isolated.add_collateral("alice", WAD)
    isolated.borrow("alice", WAD)
    isolated.fund("alice", isolated.debt, 10 * WAD)
    alice = account("alice").address
    shares = isolated.position("alice").borrow_shares
    with chain.reverts("InsufficientShares", alice, shares, shares + 1):
        isolated.send("alice", "repay", 0, shares + 1, alice)
    with chain.reverts("InsufficientShares", alice, 0, 10**6):
        isolated.send("alice", "withdraw", 1, 0, alice, alice)
    with chain.reverts("InsufficientCollateral", alice, WAD, WAD + 1):
        isolated.send("alice", "withdrawCollateral", WAD + 1, alice, alice)
    isolated.price(USD)
    with chain.reverts("InsufficientShares", alice, shares, shares + 1):
        isolated.send("bob", "liquidate", alice, 0, shares + 1, b"")
    with chain.reverts("InsufficientCollateral", alice, WAD, WAD + 1):
        isolated.send("bob", "liquidate", alice, WAD + 1, 0, b"")


def test_exactly_one_amount_is_given(isolated: Any, chain: Chain) -> None:
    alice = account("alice").address
    isolated.add_collateral("alice", WAD)
    isolated.borrow("alice", 1_700 * WAD)
    isolated.price(1_900 * USD)
    for pair in ((0, 0), (1, 1)):
        for call in (
            ("supply", *pair, alice),
            ("withdraw", *pair, alice, alice),
            ("borrow", *pair, alice, alice),
            ("repay", *pair, alice),
            ("liquidate", alice, *pair, b""),
        ):
            with chain.reverts("InconsistentInput", *pair):
                isolated.send("alice", *call)
    for call in (("supplyCollateral", 0, alice), ("withdrawCollateral", 0, alice, alice)):
        with chain.reverts("ZeroAmount"):
            isolated.send("alice", *call)
    with chain.reverts("ZeroAmount"):
        isolated.send("alice", "flashLoan", alice, isolated.debt.address, 0, b"")


def test_a_healthy_account_cannot_be_liquidated(isolated: Any, chain: Chain) -> None:
    isolated.add_collateral("alice", WAD)
    isolated.borrow("alice", 1_720 * WAD)
    alice = account("alice").address
    with chain.reverts("Healthy", alice, WAD):
        isolated.liquidate("alice")
    with chain.reverts("Healthy", account("nobody").address, MAX):
        isolated.liquidate("nobody")
    isolated.price(2_000 * USD - 1)
    event = isolated.liquidate("alice")
    assert event["healthFactorBefore"] < WAD
    assert event["repaidAssets"] == 1_720 * WAD
    assert event["collateralBefore"] == WAD
    assert event["debtBefore"] == 1_720 * WAD
    assert event["badDebtAssets"] == 0


def test_bad_debt_is_taken_off_the_suppliers_at_once(isolated: Any) -> None:
    isolated.supply("other supplier", 3_000_000 * WAD)
    isolated.add_collateral("alice", 1_000 * WAD)
    isolated.borrow("alice", 1_720_000 * WAD)
    isolated.price(1_000 * USD)
    before = isolated.state()
    small, large = isolated.positions("supplier", "other supplier")
    event = isolated.liquidate("alice")
    after = isolated.state()
    assert event["seizedAssets"] == 1_000 * WAD
    bad = event["badDebtAssets"]
    assert bad + event["repaidAssets"] == 1_720_000 * WAD
    assert before.supply_assets - after.supply_assets == bad
    assert after.borrow_assets == after.borrow_shares == 0
    losses = [
        old.supplied - new.supplied
        for old, new in zip(
            (small, large), isolated.positions("supplier", "other supplier"), strict=True
        )
    ]
    assert losses[1] == pytest.approx(3 * losses[0], abs=4)
    assert 0 <= sum(losses) - bad <= 2
    assert isolated.position("alice")[:3] == (0, 0, 0)


def test_a_refused_price_stops_borrowing_and_liquidation_only(
    make_isolated: Any, chain: Chain
) -> None:
    rig = make_isolated()
    feeds = [(feed.address, 60, 0, NO_LIMIT) for feed in rig.feeds]
    rig.config |= {"collateral_feed": feeds[0], "debt_feed": feeds[1]}
    rig.market = chain.deploy("IsolatedMarket", tuple(rig.config.values()))
    rig.price(2_000 * USD, USD)
    rig.supply("supplier", 1_000 * WAD)
    rig.add_collateral("alice", WAD)
    rig.borrow("alice", 500 * WAD)
    chain.wait(61)
    alice, supplier = account("alice").address, account("supplier").address
    for call in (
        ("borrow", 1, 0, alice, alice),
        ("withdrawCollateral", 1, alice, alice),
        ("liquidate", alice, 0, MAX, b""),
    ):
        with chain.reverts("StalePrice"):
            rig.send("alice", *call)
    rig.send("supplier", "withdraw", 1, 0, supplier, supplier)
    rig.fund("alice", rig.debt, WAD)
    rig.send("alice", "repay", 0, rig.position("alice").borrow_shares, alice)
    rig.send("alice", "withdrawCollateral", WAD, alice, alice)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("lltvWad", {"lltv": WAD}),
        ("feeWad", {"fee": WAD // 4 + 1}),
        ("feeRecipient", {"fee": 1, "fee_recipient": bytes(20)}),
        ("kinkRay", {"kink": 0}),
        ("kinkRay", {"kink": RAY}),
        ("collateralToken", {"collateral_decimals": 19}),
        ("debtToken", {"debt_decimals": 19}),
    ],
)
def test_nonsense_is_refused(make_isolated: Any, chain: Chain, field: str, changes: Any) -> None:
    with chain.reverts("InvalidConfig", field):
        make_isolated(**changes)


def test_feed_bounds_and_equal_tokens_are_refused(make_isolated: Any, chain: Chain) -> None:
    rig = make_isolated()
    for field in ("collateralFeed", "debtFeed"):
        key = "collateral_feed" if field == "collateralFeed" else "debt_feed"
        feed = rig.config[key][0]
        with chain.reverts("InvalidConfig", field):
            chain.deploy("IsolatedMarket", tuple((rig.config | {key: (feed, 0, 5, 5)}).values()))
    same = rig.config | {"debt_token": rig.collateral.address}
    with chain.reverts("InvalidConfig", "debtToken"):
        chain.deploy("IsolatedMarket", tuple(same.values()))


def test_a_donation_changes_nothing(isolated: Any, chain: Chain) -> None:
    isolated.add_collateral("alice", WAD)
    isolated.borrow("alice", 100 * WAD)
    before, position = isolated.state(), isolated.position("supplier")
    chain.mint(isolated.debt, isolated.market.address, 10**24)
    chain.mint(isolated.collateral, isolated.market.address, 10**24)
    after = isolated.state()
    assert after[:4] == before[:4]
    assert isolated.position("supplier") == position


def test_totals_beyond_128_bits_are_refused(isolated: Any, chain: Chain) -> None:
    isolated.fund("whale", isolated.debt, 1 << 200)
    isolated.fund("whale", isolated.collateral, 1 << 200)
    whale = account("whale").address
    with chain.reverts("AmountTooLarge"):
        isolated.send("whale", "supply", 1 << 128, 0, whale)
    with chain.reverts("AmountTooLarge", 1 << 128):
        isolated.send("whale", "supplyCollateral", 1 << 128, whale)


def _debt_dearer_than_the_total(rig: Any) -> None:
    """Three wei lent on one wei of collateral, and one share repaid for a whole wei.

    What is left, 2,999,999 shares of a total of 2 wei, is worth 2.25 wei: 3, rounded up.
    """
    alice = account("alice").address
    rig.add_collateral("alice", 1)
    rig.borrow("alice", 3)
    rig.fund("alice", rig.debt, 10)
    rig.send("alice", "repay", 0, 1, alice)
    state = rig.state()
    assert (state.borrow_assets, state.borrow_shares) == (2, 2_999_999)
    assert rig.position("alice").debt == 3


@pytest.mark.parametrize("way", ["repay", "liquidate"])
def test_a_debt_that_rounds_up_past_the_total_can_be_paid(isolated: Any, way: str) -> None:
    _debt_dearer_than_the_total(isolated)
    if way == "repay":
        isolated.send("alice", "repay", 0, 2_999_999, account("alice").address)
    else:
        isolated.price(3 * USD)
        assert isolated.liquidate("alice")["repaidAssets"] == 3
    state = isolated.state()
    assert (state.borrow_assets, state.borrow_shares) == (0, 0)
    assert state.debt_tokens == state.supply_assets + 1


def test_bad_debt_that_rounds_up_past_the_total_is_the_total(isolated: Any) -> None:
    _debt_dearer_than_the_total(isolated)
    isolated.price(USD)
    event = isolated.liquidate("alice", seized=1)
    assert (event["repaidAssets"], event["repaidShares"]) == (1, 1_333_333)
    assert (event["badDebtAssets"], event["badDebtShares"]) == (1, 1_666_666)
    state = isolated.state()
    assert (state.borrow_assets, state.borrow_shares) == (0, 0)
    assert state.debt_tokens == state.supply_assets
