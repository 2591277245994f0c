"""English auctions by the rules of MakerDAO's flip.sol, zero bids included."""

from __future__ import annotations

import random
from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract
from harness.errors import InvariantViolation, Reverted
from harness.testing.invariants import enforce
from harness.testing.module_invariants import wrong_bid, wrong_module_account

from .conftest import PRICE, RAY, WAD, Desk

BPS = 10_000
BEG, TTL, TAU = 103 * WAD // 100, 600, 6 * 3_600
LUMP, PENALTY = 50 * WAD, 11_300


def me(name: str) -> bytes:
    return account(name).address


class Hammer:
    """A market whose module is an English auction."""

    def __init__(
        self, desk: Desk, *, kind: str = "EnglishAuction", lump: int = LUMP, **terms: Any
    ) -> None:
        self.desk, self.chain = desk, desk.chain
        self.auction: Contract = self.chain.deploy(
            kind, desk.admin, desk.market.address, (BEG, TTL, TAU)
        )
        desk.open(self.auction, **terms)
        eth = desk.asset("ETH")
        self.chain.send(desk.admin, self.auction, "setTerms", eth, lump, PENALTY)
        for name in ("ann", "ben"):
            desk.purse(name, self.auction)

    def send(self, who: str, function: str, *args: Any, after: int = 1) -> Any:
        return self.chain.send(me(who), self.auction, function, *args, after=after)

    def kick(self, who: str = "borrower", *, after: int = 1) -> Any:
        pair = (self.desk.asset("ETH"), self.desk.asset("USD"))
        receipt = self.send("keeper", "kick", me(who), *pair, after=after)
        (event,) = self.auction.events(receipt.logs, "Kick")
        return event

    def sale(self, number: int = 1) -> dict[str, Any]:
        names = "account collateral debt scaled_claims scaled_debt tab lot bid bidder bid_ends ends"
        values = self.chain.read(self.auction, "sale", number)
        return dict(zip(names.split(), values, strict=True))

    def running(self) -> list[dict[str, Any]]:
        sales = []
        for number in range(1, self.chain.read(self.auction, "kicks") + 1):
            try:
                sales.append(self.sale(number))
            except Reverted:
                continue
        return sales

    def problems(self) -> dict[str, str]:
        found = self.desk.problems()
        sales = self.running()
        for symbol, place, name in (("ETH", 0, "scaled_claims"), ("USD", 1, "scaled_debt")):
            total = self.desk.held(self.auction, symbol)[place]
            problem = wrong_module_account(symbol, total, [s[name] for s in sales])
            if problem:
                found["AUC-2"] = problem
        return found


@pytest.fixture
def hammer(desk: Desk) -> Hammer:
    return Hammer(desk)


@pytest.fixture
def running(hammer: Hammer) -> Hammer:
    """10 ETH against a tab of $16,950."""
    hammer.desk.borrower()
    hammer.desk.price("ETH", 1_700 * PRICE)
    event = hammer.kick()
    assert (event["lot"], event["tab"]) == (10 * WAD, 15_000 * WAD * PENALTY // BPS)
    return hammer


def test_bids_rise_to_the_tab_and_then_the_lot_falls(running: Hammer) -> None:
    desk = running.desk
    tab = 16_950 * WAD
    running.send("ann", "raiseBid", 1, 10_000 * WAD)
    assert desk.held(running.auction, "USD") == (0, 5_000 * WAD)
    running.send("ben", "raiseBid", 1, tab)
    # the outbid is paid back in full by who outbids
    assert desk.balance("ann", "USD") == 10**9 * WAD
    assert desk.balance("ben", "USD") == 10**9 * WAD - tab
    assert desk.books("USD").reserves == tab - 15_000 * WAD
    running.send("ann", "lowerLot", 1, 9 * WAD)
    assert desk.position("borrower")["ETH"] == (WAD, 0)
    assert desk.balance("ben", "USD") == 10**9 * WAD
    running.chain.wait(TTL)
    running.send("keeper", "settle", 1, False)
    assert desk.balance("ann", "ETH") == 9 * WAD
    assert desk.books("USD").deficit == 0
    assert running.problems() == {}


def test_a_bid_of_one_unit_wins_if_nobody_else_comes(running: Hammer) -> None:
    # 12 March 2020: 10 ETH for nothing
    desk = running.desk
    running.send("ann", "raiseBid", 1, 1)
    running.chain.wait(TTL)
    receipt = running.send("keeper", "settle", 1, False)
    (bad,) = desk.market.events(receipt.logs, "BadDebt")
    assert (bad["account"], bad["assets"]) == (me("borrower"), 15_000 * WAD - 1)
    assert desk.balance("ann", "ETH") == 10 * WAD
    assert desk.books("USD").deficit == 15_000 * WAD - 1
    assert running.problems() == {}


def test_a_bid_must_beat_the_last_by_the_increase(running: Hammer) -> None:
    tab = 16_950 * WAD
    with running.chain.reverts("BidOutOfBounds", 0, 1, tab):
        running.send("ann", "raiseBid", 1, 0)
    running.send("ann", "raiseBid", 1, 1_000 * WAD)
    with running.chain.reverts("BidOutOfBounds", 1_030 * WAD - 1, 1_030 * WAD, tab):
        running.send("ben", "raiseBid", 1, 1_030 * WAD - 1)
    running.send("ben", "raiseBid", 1, 1_030 * WAD)
    with running.chain.reverts("BidOutOfBounds", tab + 1, 1_060_900 * WAD // 1_000, tab):
        running.send("ann", "raiseBid", 1, tab + 1)
    with running.chain.reverts("TabNotBid", 1_030 * WAD, tab):
        running.send("ann", "lowerLot", 1, 9 * WAD)
    # the last step to the tab may be smaller
    running.send("ann", "raiseBid", 1, tab - 1)
    running.send("ben", "raiseBid", 1, tab)
    most = 10 * WAD * WAD // BEG
    with running.chain.reverts("LotTooLarge", most + 1, most):
        running.send("ann", "lowerLot", 1, most + 1)
    running.send("ann", "lowerLot", 1, most)
    running.send("ben", "lowerLot", 1, 0)
    with running.chain.reverts("LotTooLarge", 0, 0):
        running.send("ann", "lowerLot", 1, 0)
    assert running.problems() == {}


def test_time_ends_a_bid_and_the_bidding(running: Hammer) -> None:
    with running.chain.reverts("NotFinished", 1):
        running.send("keeper", "settle", 1, False)
    with running.chain.reverts("NotFinished", 1):
        running.send("keeper", "restart", 1)
    running.chain.wait(TAU)
    with running.chain.reverts("Finished", 1):
        running.send("ann", "raiseBid", 1, WAD)
    running.send("keeper", "restart", 1)
    running.send("ann", "raiseBid", 1, WAD)
    running.chain.wait(TTL - 1)
    with running.chain.reverts("Finished", 1):
        running.send("ben", "raiseBid", 1, 2 * WAD)
    with running.chain.reverts("NotWinner", me("ben")):
        running.send("ben", "settle", 1, True)
    running.send("ann", "settle", 1, True)
    assert running.desk.position("ann")["ETH"] == (10 * WAD, 0)
    with running.chain.reverts("NotRunning", 1):
        running.send("ann", "settle", 1, True)
    assert running.problems() == {}


def test_a_large_account_goes_lot_by_lot_and_all_at_once(desk: Desk) -> None:
    hammer = Hammer(desk, lump=4 * WAD)
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    lots = []
    while desk.claims_of("borrower", "ETH"):
        event = hammer.kick()
        lots.append((event["lot"], event["tab"]))
        assert hammer.problems() == {}
    assert lots == [(n * WAD, n * 1_695 * WAD) for n in (4, 4, 2)]


def test_terms_are_the_admins(hammer: Hammer) -> None:
    eth = hammer.desk.asset("ETH")
    with hammer.chain.reverts("NotAdmin", me("keeper")):
        hammer.send("keeper", "setTerms", eth, WAD, PENALTY)
    for terms in ((0, PENALTY), (WAD, BPS - 1)):
        with hammer.chain.reverts("InvalidConfig"):
            hammer.send("admin", "setTerms", eth, *terms)


def random_run(desk: Desk, rng: random.Random, steps: int, kind: str) -> dict[str, str]:
    """Random auctions, bids and settlements until something is wrong."""
    hammer = Hammer(desk, kind=kind, lump=7 * WAD, base_rate=RAY // 10, reserve_factor=1_000)
    names = [f"b{i}" for i in range(4)]
    for i, name in enumerate(names):
        desk.borrower(12 + i, (12 + i) * 1_500, who=name)
    done = {"kick": 0, "raiseBid": 0, "lowerLot": 0, "settle": 0, "restart": 0, "bad": 0}
    price = 2_000
    for _ in range(steps):
        if rng.random() < 0.1:
            price = rng.randint(1_300, 2_000)
            desk.price("ETH", price * PRICE)
        kicks = hammer.chain.read(hammer.auction, "kicks")
        number = rng.randint(max(1, kicks - 2), max(1, kicks))
        action = rng.choices(
            ("kick", "raiseBid", "lowerLot", "settle", "restart", "open"), (2, 6, 4, 2, 2, 2)
        )[0]
        who = rng.choice(("ann", "ben"))
        after = rng.choice((1, 1, 1, 1, 60, 300, TAU + 1))
        try:
            if action == "kick":
                hammer.kick(rng.choice(names), after=after)
            elif action == "open":
                name = rng.choice(names)
                desk.supply("supplier", "USD", 100_000 * WAD)  # deficits eat up the cash
                desk.supply(name, "ETH", rng.randint(1, 20 * WAD))
                room = desk.claims_of(name, "ETH") * price * 8 // 10 - desk.debt_of(name, "USD")
                if room > 0:
                    desk.borrow(name, "USD", room * 99 // 100)
                continue
            else:
                before = hammer.sale(number)
                if action == "raiseBid":
                    low = before["bid"] + 1
                    bid = rng.choice((before["tab"], low, min(before["tab"], 2 * low + WAD)))
                    receipt = hammer.send(who, action, number, bid, after=after)
                elif action == "lowerLot":
                    lot = before["lot"] * rng.randint(80, 100) // 100
                    receipt = hammer.send(who, action, number, lot, after=after)
                elif action == "settle":
                    receipt = hammer.send(who, action, number, False, after=after)
                    done["bad"] += len(desk.market.events(receipt.logs, "BadDebt"))
                else:
                    receipt = hammer.send(who, action, number, after=after)
                for event in hammer.auction.events(receipt.logs, "Bid"):
                    problem = wrong_bid(
                        bid_before=before["bid"],
                        bid=event["bid"],
                        lot_before=before["lot"],
                        lot=event["lot"],
                        tab=before["tab"],
                        beg_wad=BEG,
                    )
                    if problem:
                        return {"ENG-1": problem}
            done[action] += 1
        except Reverted as error:
            if str(error).startswith("Panic"):
                raise
        if problems := hammer.problems():
            return problems
    print(done)
    assert all(done.values()), done
    return {}


def test_the_books_balance_under_random_actions(desk: Desk, rng: random.Random) -> None:
    assert random_run(desk, rng, 800, "EnglishAuction") == {}


def test_an_auction_that_takes_any_bid_is_caught(desk: Desk, rng: random.Random) -> None:
    problems = random_run(desk, rng, 4_000, "EnglishAuctionTakesAnyBid")
    assert list(problems) == ["ENG-1"]
    with pytest.raises(InvariantViolation, match="ENG-1"):
        enforce("ENG-1", problems["ENG-1"])
