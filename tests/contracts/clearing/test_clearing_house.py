"""Single rules of the clearing house, each by its outcome."""

from __future__ import annotations

from typing import Any

import pytest

from harness.accounts import account

USD = 10**18
WAD = 10**18
FLOOR = 10**12 * USD


@pytest.fixture
def ready(make_clearing: Any) -> Any:
    """A venue with ETH at $100, whose vault leaves every default to the house."""
    rig = make_clearing()
    rig.price("ETH", 100)
    venue = rig.venue(vault=1_000_000 * USD, vault_floor=FLOOR)
    venue.market("ETH")
    venue.configure(rig.policy("HyperliquidQueue"))
    return rig, venue


def enter(venue: Any, name: str, cash: int, size: int) -> bytes:
    """A position in ETH with this much margin, in whole units."""
    word: bytes = venue.word(name)
    venue.deposit(word, cash * USD + 10)
    venue.trade(name, "ETH", size * WAD)
    return word


def default(rig: Any, venue: Any) -> tuple[bytes, list[bytes]]:
    """Lee is long 10 with $150 and loses $200; three shorts win $200, $100 and $100."""
    lee = enter(venue, "lee", 150, 10)
    winners = [
        enter(venue, "ann", 200, -10),
        enter(venue, "ben", 60, -5),
        enter(venue, "cat", 60, -5),
    ]
    rig.price("ETH", 80)
    venue.liquidate(lee, "ETH")
    assert venue.in_default(lee)
    return lee, winners


def test_hyperliquid_ranks_by_price_gain_and_leverage(ready: Any) -> None:
    rig, venue = ready
    lee, (ann, ben, cat) = default(rig, venue)
    venue.house("open", 1)
    places = venue.places([lee, ann, ben, cat])
    # entry / mark = 1.25; $800 on $400 of equity, and $400 on $160.
    assert places[ann][0] == pytest.approx(1.25 * 2 * WAD, rel=1e-15)
    assert places[ben][0] == places[cat][0] == pytest.approx(1.25 * 2.5 * WAD, rel=1e-15)
    assert places[lee][0] == 0
    assert venue.line([lee, ann, ben, cat])[-1] == ann


def test_bitmex_ranks_by_profit_and_leverage(ready: Any) -> None:
    rig, venue = ready
    venue.configure(rig.policy("BitmexQueue"))
    _, (ann, ben, _) = default(rig, venue)
    venue.house("open", 1)
    places = venue.places([ann, ben])
    assert places[ann][0] == pytest.approx(0.2 * 2 * WAD, rel=1e-15)
    assert places[ben][0] == pytest.approx(0.2 * 2.5 * WAD, rel=1e-15)


def test_nobody_is_passed_over_listed_twice_or_left_out(ready: Any) -> None:
    rig, venue = ready
    lee, (ann, ben, cat) = default(rig, venue)
    venue.house("open", 1)
    first, second = sorted((ben, cat))
    with rig.chain.reverts("NotOnSide"):
        venue.house("list", [lee])
    venue.house("list", [second])
    for late in (second, first):
        with rig.chain.reverts("OutOfOrder"):
            venue.house("list", [late])
    venue.house("list", [ann])
    assert venue.round()["stage"] == 1, "the line of all but one is not complete"
    with rig.chain.reverts("WrongStage"):
        venue.house("deleverage", 1)


def test_at_the_bankruptcy_price_those_opposite_pay_the_loss(ready: Any) -> None:
    rig, venue = ready
    venue.configure(rig.policy("BankruptcyPrice"))
    lee, winners = default(rig, venue)
    worth = {word: venue.equity(word) for word in winners}
    line = sorted(winners)
    venue.settle(winners)
    # $50 short on 10 ETH: closed at $85, and not at $80, against the first in line.
    assert worth[line[0]] - venue.equity(line[0]) in range(
        (50 if line[0] == winners[0] else 25) * USD - 10**6,
        (50 if line[0] == winners[0] else 25) * USD + 10**6,
    )
    assert sum(worth[w] - venue.equity(w) for w in winners) == pytest.approx(50 * USD, abs=10**6)
    assert venue.equity(lee) == 0
    assert venue.deficit() == 0


def test_where_funds_pay_and_the_vault_has_room_nobody_is_deleveraged(make_clearing: Any) -> None:
    rig = make_clearing()
    rig.price("ETH", 100)
    venue = rig.venue(vault=1_000_000 * USD, vault_floor=1_000_350 * USD)
    venue.market("ETH")
    venue.configure(rig.policy("HyperliquidQueue"))
    lee, winners = default(rig, venue)
    rig.stake(1_000 * USD)
    venue.admin("setRiskConfig", tuple((venue.risk | {"vault_floor": 0}).values()))
    sizes = [venue.size(word, "ETH") for word in winners]
    venue.settle(winners)
    assert [venue.size(word, "ETH") for word in winners] == sizes
    assert venue.size(lee, "ETH") == 0
    assert rig.by_step() == {"stake": pytest.approx(50 * USD, abs=100)}


def test_a_member_pays_with_its_margin_on_every_venue_before_anybody_else(ready: Any) -> None:
    rig, venue = ready
    other = rig.venue(vault=1_000_000 * USD)
    other.market("ETH")
    rig.join("lee", 10 * USD)
    rig.join("ben", 100 * USD)
    rig.margin("lee", 5 * USD)
    elsewhere = other.word("lee")
    other.deposit(elsewhere, 130 * USD)
    other.trade("lee", "ETH", 10 * WAD // 10)
    lee, winners = default(rig, venue)
    venue.settle(winners)
    steps = rig.by_step()
    # $5 here; of the $130 there, $20 are lost and $8 are the initial margin of $80.
    assert steps == {"margin": pytest.approx(50 * USD, abs=10**6)}
    assert other.equity(elsewhere) == pytest.approx((130 - 20 - 45) * USD, abs=10**6)
    assert rig.share("ben") == 100 * USD
    assert venue.equity(lee) == 0


def test_margin_goes_to_the_venue_where_it_is_called(ready: Any) -> None:
    rig, venue = ready
    other = rig.venue(vault=1_000_000 * USD)
    other.market("ETH")
    rig.join("ann", 10 * USD)
    rig.margin("ann", 5 * USD)
    ann = enter(venue, "ann", 110, 10)
    other.deposit(other.word("ann"), 500 * USD)
    send = rig.chain.send
    with rig.chain.reverts("NotCalled"):
        send(rig.treasury, rig.fund, "allocate", ann[:20], venue.exchange.address)
    rig.price("ETH", 95)  # equity $60, call margin 7% of $950
    send(rig.treasury, rig.fund, "allocate", ann[:20], venue.exchange.address)
    assert venue.equity(ann) == 95 * USD, "the initial margin"
    assert other.equity(other.word("ann")) in range(469 * USD, 471 * USD)
    assert rig.funds()["margins"] == 0


def test_assessments_stop_at_their_cap_until_the_period_is_over(make_clearing: Any) -> None:
    rig = make_clearing(assessment_bps=5_000, assessment_period=1_000)
    rig.price("ETH", 100)
    venue = rig.venue(vault=1_000_000 * USD, vault_floor=FLOOR)
    venue.market("ETH")
    venue.configure(rig.policy("HyperliquidQueue"))
    rig.join("dan", 10 * USD, pledged=100 * USD)
    rig.join("eve", 20 * USD, pledged=1 * USD)
    _, winners = default(rig, venue)
    venue.settle(winners)
    steps = rig.by_step()
    assert steps["default_fund"] == 30 * USD
    assert steps["assessment"] == 6 * USD, "half of 10, and all that eve has"
    assert steps["deleveraging"] == pytest.approx(14 * USD, abs=10**6)
    unpaid = [
        event
        for receipt in rig.receipts
        for event in rig.fund.events(receipt.logs, "AssessmentUnpaid")
    ]
    assert [(event["member"], event["amount"]) for event in unpaid] == [
        (account("eve").address, 9 * USD)
    ]
    assessable = [rig.chain.read(rig.fund, "assessable", account("dan").address)]
    rig.chain.wait(1_000)
    assessable.append(rig.chain.read(rig.fund, "assessable", account("dan").address))
    assert assessable == [0, 5 * USD]


def test_prices_of_the_round_hold_while_the_market_moves_on(ready: Any) -> None:
    rig, venue = ready
    lee, winners = default(rig, venue)
    venue.house("open", 1)
    venue.house("list", venue.line([lee, *winners]))
    rig.price("ETH", 95)  # most of the winners' profit is gone again
    profits = {word: venue.profit(word) for word in winners}
    while venue.round()["stage"]:
        venue.work(winners)
    for step, payer, amount in rig.payments():
        if step == "deleveraging":
            assert amount <= profits[payer]
    assert all(venue.equity(word) >= 0 for word in [lee, *winners])
    losses = sum(e["loss"] for e in rig.events("LossTaken"))
    residuals = sum(e["residual"] for e in rig.events("ClosedOut"))
    assert sum(rig.by_step().values()) == losses + residuals
    assert venue.deficit() == 0


def test_whoever_pays_the_deficit_in_between_spares_the_winners(ready: Any) -> None:
    rig, venue = ready
    lee, winners = default(rig, venue)
    venue.house("open", 1)
    rig.chain.send(rig.treasury, venue.exchange, "coverDeficit", venue.deficit())
    while venue.round()["stage"]:
        venue.work([lee, *winners])
    assert rig.by_step().get("deleveraging", 0) == 0
    assert venue.deficit() == 0


def test_only_the_house_takes_money_and_only_between_rounds_are_rules_changed(ready: Any) -> None:
    rig, venue = ready
    rig.stake(10 * USD)
    with rig.chain.reverts("NotHouse"):
        rig.chain.send(rig.admin, rig.fund, "raise", 3, rig.admin, USD)
    default(rig, venue)
    venue.house("open", 1)
    with rig.chain.reverts("WrongStage"):
        venue.configure(rig.policy("BitmexQueue"))
    with rig.chain.reverts("UnknownVenue"):
        rig.chain.send(rig.admin, rig.house, "onDeficit", bytes(32), 1)


def test_an_insurance_fund_in_default_is_closed_by_the_round_alone(make_clearing: Any) -> None:
    rig = make_clearing()
    rig.price("ETH", 100)
    venue = rig.venue(vault=1_000_000 * USD, vault_floor=FLOOR)
    venue.market("ETH")
    venue.configure(rig.policy("BankruptcyPrice"))
    fund = venue.word("insurance")
    venue.deposit(fund, 100 * USD)
    lee = enter(venue, "lee", 101, 10)
    ann = enter(venue, "ann", 1_000, -10)
    rig.price("ETH", 89)  # lee is $9 short: the fund takes its 10 ETH, and then loses more itself
    venue.liquidate(lee, "ETH")
    assert venue.size(fund, "ETH") == 10 * WAD
    rig.price("ETH", 78)
    venue.liquidate(fund, "ETH")
    assert venue.in_default(fund)
    venue.house("open", 1)
    with rig.chain.reverts("InDefault"):
        rig.chain.send(rig.treasury, venue.exchange, "unwind", 0, WAD)
    while venue.round()["stage"]:
        venue.work([lee, ann, fund])
    assert not venue.in_default(fund)
    assert venue.size(fund, "ETH") == 0
    assert venue.deficit() == 0
