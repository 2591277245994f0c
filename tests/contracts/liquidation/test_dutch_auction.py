"""Dutch auctions against integer arithmetic of the rules in MakerDAO's dog.sol and clip.sol."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract
from harness.errors import InvariantViolation, Reverted
from harness.testing.invariants import enforce
from harness.testing.module_invariants import (
    wrong_module_account,
    wrong_purchase,
    wrong_throttle,
)

from .conftest import PRICE, RAY, WAD, Desk

MAX = (1 << 256) - 1
BPS = 10_000

# Maker's ETH-B of 2021: buf 1.2, 1% every 60 s, cusp .4, tail 90 min, chip .1%, tip 300.
BUF, TAIL, CUSP, CHIP, TIP = 12 * RAY // 10, 5_400, 4 * RAY // 10, WAD // 1_000, 300 * WAD
STEP, CUT = 60, RAY // 100
HOLE, PENALTY, DUST = 15_000_000 * WAD, 11_300, 1_000 * WAD


def me(name: str) -> bytes:
    return account(name).address


def rmul(a: int, b: int) -> int:
    """To the nearest RAY, as rpow multiplies."""
    return (a * b + RAY // 2) // RAY


def rpow(x: int, n: int) -> int:
    result = x if n & 1 else RAY
    n >>= 1
    while n:
        x = rmul(x, x)
        if n & 1:
            result = rmul(result, x)
        n >>= 1
    return result


def stairs(top: int, elapsed: int) -> int:
    return top * rpow(RAY - CUT, elapsed // STEP) // RAY


class House:
    """A market whose module is a Dutch auction, with its trigger and curve."""

    def __init__(
        self,
        desk: Desk,
        *,
        curve: tuple[Any, ...] = ("StairstepExponentialDecrease", STEP, CUT),
        config: Sequence[int] = (BUF, TAIL, CUSP, CHIP, TIP),
        hole: int = HOLE,
        own_hole: int = HOLE,
        dust: int = DUST,
        auction: str = "DutchAuction",
        trigger: str = "LiquidationTrigger",
        **terms: Any,
    ) -> None:
        self.desk, self.chain = desk, desk.chain
        self.dust = dust
        self.holes = {"": hole, "ETH": own_hole, "USD": own_hole}
        self.curve = self.chain.deploy(*curve)
        self.auction: Contract = self.chain.deploy(
            auction, desk.admin, desk.market.address, self.curve.address, tuple(config)
        )
        self.trigger: Contract = self.chain.deploy(
            trigger, desk.admin, self.auction.address, hole, dust
        )
        self.chain.send(desk.admin, self.auction, "setTrigger", self.trigger.address)
        desk.open(self.auction, **terms)
        for symbol in ("ETH", "USD"):
            self.chain.send(
                desk.admin, self.trigger, "setLimits", desk.asset(symbol), own_hole, PENALTY
            )
        desk.purse("buyer", self.auction)

    def kick(self, who: str = "borrower", **options: Any) -> dict[str, Any]:
        """Trigger against the account's USD debt and ETH; the Kick event."""
        receipt = self.chain.send(
            me("keeper"),
            self.trigger,
            "trigger",
            me(who),
            self.desk.asset("ETH"),
            self.desk.asset("USD"),
            me("keeper"),
            **options,
        )
        (event,) = self.auction.events(receipt.logs, "Kick")
        return event

    def take(
        self,
        number: int = 1,
        most: int = MAX,
        price: int = MAX,
        *,
        claims: bool = False,
        after: int = 1,
    ) -> Any:
        return self.chain.send(
            me("buyer"),
            self.auction,
            "take",
            number,
            most,
            price,
            me("buyer"),
            claims,
            b"",
            after=after,
        )

    def taken(self, *args: Any, **options: Any) -> dict[str, Any]:
        receipt = self.take(*args, **options)
        (event,) = self.auction.events(receipt.logs, "Take")
        bad = self.desk.market.events(receipt.logs, "BadDebt")
        closed = self.auction.events(receipt.logs, "Closed")
        return event | {"bad_debt": bad, "closed": closed}

    def status(self, number: int = 1) -> tuple[bool, int, int, int]:
        return tuple(self.chain.read(self.auction, "status", number))  # type: ignore[return-value]

    def sales(self) -> list[Any]:
        return [
            self.chain.read(self.auction, "sale", number)
            for number in self.chain.read(self.auction, "list")
        ]

    def dirt(self, symbol: str = "") -> int:
        if symbol:
            return int(self.chain.read(self.trigger, "limits", self.desk.asset(symbol))[1])
        return int(self.chain.read(self.trigger, "dirtUsd"))

    def problems(self) -> dict[str, str]:
        """What is wrong now, by invariant."""
        found = self.desk.problems()
        sales = self.sales()
        for symbol, hole in self.holes.items():
            problem = wrong_throttle(
                hole=hole, dirt=self.dirt(symbol), dust=self.dust, penalty_bps=PENALTY
            )
            if problem:
                found["AUC-1"] = problem
        # Sale: account, collateral, debt asset, scaled claims, scaled debt, tab, dirt, ...
        for symbol in self.desk.tokens:
            asset = self.desk.asset(symbol)
            claims, debt = self.desk.held(self.auction, symbol)
            checks = (
                ("claims", claims, [sale[3] for sale in sales if sale[1] == asset]),
                ("debt", debt, [sale[4] for sale in sales if sale[2] == asset]),
                ("dirt", self.dirt(symbol), [sale[6] for sale in sales if sale[1] == asset]),
                ("all dirt", self.dirt(), [sale[6] for sale in sales]),
            )
            for name, total, parts in checks:
                problem = wrong_module_account(f"{symbol} {name}", total, parts, what="auctions")
                if problem:
                    found["AUC-2"] = problem
        return found


@pytest.fixture
def house(desk: Desk) -> House:
    return House(desk)


def test_the_trigger_takes_the_account_and_the_price_starts_above_the_oracle(
    house: House,
) -> None:
    desk = house.desk
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    event = house.kick()
    top = 1_700 * RAY * BUF // RAY
    tab = 15_000 * WAD * PENALTY // BPS
    assert event["topRay"] == top
    assert event["lot"] == 10 * WAD
    assert event["tab"] == tab
    assert event["incentive"] == TIP + tab * CHIP // WAD
    assert desk.position("borrower") == {"ETH": (0, 0), "USD": (0, 0)}
    assert desk.position("keeper")["USD"] == (event["incentive"], 0)
    assert desk.held(house.auction, "USD") == (0, 15_000 * WAD + event["incentive"])
    assert house.dirt() == house.dirt("ETH") == tab
    assert house.problems() == {}


def test_a_healthy_account_is_left_alone(house: House) -> None:
    desk = house.desk
    who = desk.borrower()
    with house.chain.reverts("Healthy", who, desk.health("borrower")):
        house.kick()


def test_the_price_follows_the_stairs_second_by_second(house: House) -> None:
    desk = house.desk
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    top = house.kick()["topRay"]
    start = house.chain.now
    for wait in (1, 58, 1, 1, 59, 60, 600, 119, 1, 3_000, 1_500, 59):
        house.chain.wait(wait)
        elapsed = house.chain.now - start
        needs_reset, price, lot, _ = house.status()
        assert price == stairs(top, elapsed), elapsed
        assert lot == 10 * WAD
        assert needs_reset == (elapsed > TAIL or price * RAY // top < CUSP)
    # 0.99^91 = .4007 after 91 steps, .3967 after 92: past cusp before tail
    assert house.status()[0]


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        (("LinearDecrease", 1_000), lambda top, t: top * ((1_000 - t) * RAY // 1_000) // RAY),
        (
            ("ExponentialDecrease", RAY // 1_000),
            lambda top, t: top * rpow(999 * RAY // 1_000, t) // RAY,
        ),
        (
            ("StairstepExponentialDecrease", 7, RAY // 50),
            lambda top, t: top * rpow(49 * RAY // 50, t // 7) // RAY,
        ),
    ],
)
def test_the_curve_is_swappable(chain: Any, curve: tuple[Any, ...], expected: Any) -> None:
    contract = chain.deploy(*curve)
    for elapsed in (0, 1, 6, 7, 13, 500, 999):
        for top in (1, 2_040 * RAY, 10**33 + 7):
            assert chain.read(contract, "price", top, elapsed) == expected(top, elapsed)
    if curve[0] == "LinearDecrease":
        assert chain.read(contract, "price", RAY, 1_000) == 0


@pytest.mark.parametrize(
    "curve",
    [
        ("LinearDecrease", 0),
        ("ExponentialDecrease", RAY),
        ("StairstepExponentialDecrease", 0, 1),
        ("StairstepExponentialDecrease", 1, RAY),
    ],
)
def test_a_curve_that_does_not_fall_or_falls_to_nothing_is_refused(
    chain: Any, curve: tuple[Any, ...]
) -> None:
    with chain.reverts("InvalidCurve"):
        chain.deploy(*curve)


def test_a_sale_repays_the_debt_pays_the_penalty_and_returns_the_rest(house: House) -> None:
    desk = house.desk
    who = desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    kick = house.kick()
    house.chain.wait(10 * STEP)
    event = house.taken()
    price = stairs(kick["topRay"], 10 * STEP + 1)
    paid = kick["tab"]
    bought = paid * RAY // price
    assert (event["priceRay"], event["paid"], event["bought"]) == (price, paid, bought)
    assert event["bad_debt"] == []
    assert desk.position("borrower")["ETH"] == (10 * WAD - bought, 0)
    # debt and incentive are repaid, what the penalty leaves is the reserves'
    assert desk.books("USD").reserves == paid - 15_000 * WAD - kick["incentive"]
    assert desk.books("USD").deficit == 0
    assert desk.balance_of(me("buyer"), "ETH") == bought
    assert desk.held(who, "USD") == (0, 0)
    assert house.sales() == []
    assert house.dirt() == 0
    assert house.problems() == {}
    with house.chain.reverts("NotRunning", 1):
        house.take()


def test_a_lot_that_does_not_raise_the_debt_leaves_a_deficit(house: House) -> None:
    desk = house.desk
    who = desk.borrower()
    desk.price("ETH", 1_400 * PRICE)
    kick = house.kick()
    house.chain.wait(40 * STEP)
    event = house.taken()
    price = stairs(kick["topRay"], 40 * STEP + 1)
    paid = -(-10 * WAD * price // RAY)
    assert event["paid"] == paid < 15_000 * WAD
    left = 15_000 * WAD + kick["incentive"] - paid
    assert [(b["account"], b["assets"]) for b in event["bad_debt"]] == [(who, left)]
    assert desk.books("USD").deficit == left
    assert house.dirt() == 0
    assert house.problems() == {}


def test_part_of_a_lot_is_bought_at_the_price_of_the_moment(house: House) -> None:
    desk = house.desk
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    tab = house.kick()["tab"]
    dirt = house.dirt()
    event = house.taken(1, 2 * WAD)
    paid = 2 * WAD * 2_040
    assert (event["bought"], event["paid"]) == (2 * WAD, paid)
    assert house.status()[2:] == (8 * WAD, tab - paid)
    assert house.dirt() == dirt - dirt * paid // tab
    assert house.problems() == {}


def test_a_purchase_leaves_no_dust_to_be_raised(house: House) -> None:
    desk = house.desk
    desk.borrower(eth=1, usd=1_500)
    desk.price("ETH", 1_700 * PRICE)
    tab = house.kick()["tab"]
    least = DUST * PENALTY // BPS
    assert tab == 1_695 * WAD
    price = 2_040 * RAY
    # it would leave 675 of at least 1,130: less is sold
    event = house.taken(1, WAD // 2)
    assert event["paid"] == tab - least
    assert event["bought"] == (tab - least) * RAY // price
    with house.chain.reverts("NoPartialPurchase", least, least):
        house.take(1, WAD // 10)
    house.take()
    assert house.problems() == {}


def test_a_price_above_the_buyers_limit_is_refused(house: House) -> None:
    desk = house.desk
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    house.kick()
    with house.chain.reverts("TooExpensive", 2_040 * RAY, 2_040 * RAY - 1):
        house.take(1, MAX, 2_040 * RAY - 1)


@pytest.mark.parametrize(
    ("wait", "config"),
    [(TAIL, (BUF, TAIL, 0, CHIP, TIP)), (92 * STEP - 1, (BUF, 10**6, CUSP, CHIP, TIP))],
    ids=["tail", "cusp"],
)
def test_after_tail_or_below_cusp_the_auction_must_be_reset(
    desk: Desk, wait: int, config: tuple[int, ...]
) -> None:
    house = House(desk, config=config)
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    kick = house.kick()
    with house.chain.reverts("ResetNotNeeded", 1):
        house.chain.send(me("keeper"), house.auction, "redo", 1, me("keeper"))
    house.chain.wait(wait - 1)  # a second for the call that was refused
    assert not house.status()[0]
    house.chain.wait(1)
    assert house.status()[0]
    with house.chain.reverts("NeedsReset", 1):
        house.take()
    desk.price("ETH", 1_600 * PRICE)
    receipt = house.chain.send(me("keeper"), house.auction, "redo", 1, me("keeper"))
    (event,) = house.auction.events(receipt.logs, "Redo")
    assert event["topRay"] == 1_600 * BUF
    assert event["incentive"] == kick["incentive"]
    assert house.status() == (False, 1_600 * BUF, 10 * WAD, kick["tab"])
    assert house.problems() == {}
    house.take()
    assert house.problems() == {}


def test_an_auction_of_dust_pays_nothing(house: House) -> None:
    # or the flat $300 could be had for every dollar of debt
    desk = house.desk
    desk.supply("borrower", "ETH", WAD // 1_000)
    desk.borrow("borrower", "USD", WAD)
    desk.price("ETH", 1_100 * PRICE)
    event = house.kick()
    assert event["tab"] < DUST * PENALTY // BPS
    assert event["incentive"] == 0
    house.take()
    assert house.problems() == {}


def test_resetting_dust_pays_nothing(house: House) -> None:
    desk = house.desk
    desk.borrower(eth=1, usd=1_500)
    desk.price("ETH", 900 * PRICE)  # the lot is worth less than 1,130
    house.kick()
    house.chain.wait(TAIL + 1)
    receipt = house.chain.send(me("keeper"), house.auction, "redo", 1, me("keeper"))
    (event,) = house.auction.events(receipt.logs, "Redo")
    assert event["incentive"] == 0


# --- the throttle


def test_the_account_goes_as_far_as_there_is_room(desk: Desk) -> None:
    house = House(desk, hole=11_300 * WAD)
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    assert house.kick()["tab"] == 11_300 * WAD
    assert desk.position("borrower") == {
        "ETH": (10 * WAD - 10 * WAD * 10_000 // 15_000, 0),
        "USD": (0, 5_000 * WAD),
    }
    assert house.dirt() == 11_300 * WAD
    with house.chain.reverts("NoRoom", desk.asset("ETH")):
        house.kick()
    house.take()
    desk.price("ETH", 1_000 * PRICE)
    house.kick()
    assert house.problems() == {}


def test_the_limit_of_the_collateral_binds_too(desk: Desk) -> None:
    house = House(desk, own_hole=5_650 * WAD)
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    assert house.kick()["tab"] == 5_650 * WAD
    assert house.chain.read(house.trigger, "roomUsd", desk.asset("ETH")) == 0


def test_no_dust_is_auctioned_and_none_is_left(desk: Desk) -> None:
    house = House(desk, hole=16_000 * WAD)
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    # room for 14,159.29 of 15,000: the rest would be dust, so all goes, past the limit
    assert house.kick()["tab"] == 16_950 * WAD
    assert house.dirt() > 16_000 * WAD
    assert house.problems() == {}
    desk.price("ETH", 2_000 * PRICE)
    desk.borrower(who="other")
    desk.price("ETH", 1_700 * PRICE)
    with house.chain.reverts("NoRoom"):
        house.kick("other")


def test_too_little_room_for_more_than_dust_is_no_room(desk: Desk) -> None:
    house = House(desk, hole=1_000 * WAD)
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    with house.chain.reverts("DustyAuction", 1_000 * WAD * BPS // PENALTY):
        house.kick()


# --- who may do what


def test_only_the_trigger_kicks_and_only_the_auction_clears(house: House) -> None:
    desk = house.desk
    sale = (me("borrower"), desk.asset("ETH"), desk.asset("USD"), 1, 1, 1, 1, 1, 1, 1)
    with house.chain.reverts("NotTrigger", me("admin")):
        house.chain.send(me("admin"), house.auction, "kick", sale, me("admin"))
    with house.chain.reverts("NotAuction", me("admin")):
        house.chain.send(me("admin"), house.trigger, "clear", desk.asset("ETH"), 1)
    with house.chain.reverts("TriggerFixed"):
        house.chain.send(me("admin"), house.auction, "setTrigger", me("admin"))
    with house.chain.reverts("NotAdmin", me("keeper")):
        house.chain.send(me("keeper"), house.trigger, "setHole", 1)
    with house.chain.reverts("NotAdmin", me("keeper")):
        house.chain.send(me("keeper"), house.trigger, "setLimits", desk.asset("ETH"), 1, BPS)
    with house.chain.reverts("InvalidConfig"):
        house.chain.send(me("admin"), house.trigger, "setLimits", desk.asset("ETH"), 1, BPS - 1)


def test_collateral_that_is_lent_out_is_paid_in_claims(house: House) -> None:
    desk = house.desk
    desk.borrower()
    desk.supply("short", "USD", 100_000 * WAD)
    desk.everyone.append(me("short"))
    desk.borrow("short", "ETH", 9 * WAD)
    desk.price("ETH", 1_700 * PRICE)
    kick = house.kick()
    with house.chain.reverts("InsufficientCash", desk.asset("ETH"), WAD, kick["tab"] // 2_040):
        house.take()
    event = house.taken(claims=True)
    assert desk.position("buyer")["ETH"] == (event["bought"], 0)
    assert house.problems() == {}


def test_a_pair_takes_its_share_of_an_account_of_two_collaterals(house: House) -> None:
    desk = house.desk
    desk.supply("borrower", "USD", 2_000 * WAD)
    desk.borrower(usd=16_600)
    desk.price("ETH", 1_600 * PRICE)
    debt = 16_600 * WAD
    charged = -(-debt * 16_000 // 18_000)
    assert house.kick()["tab"] == charged * PENALTY // BPS
    assert desk.claims_of("borrower", "ETH") == 0
    claims, left = desk.position("borrower")["USD"]
    assert claims == 2_000 * WAD
    assert left == debt - charged
    assert house.problems() == {}


def test_after_a_pause_longer_than_the_auction_it_must_be_reset(house: House) -> None:
    # no bid can be made meanwhile, and the clock goes on
    desk = house.desk
    desk.borrower()
    desk.price("ETH", 1_700 * PRICE)
    house.kick()
    desk.send("admin", "setPaused", True, 0)
    with house.chain.reverts("MarketPaused"):
        house.take()
    house.chain.wait(TAIL)
    desk.send("admin", "setPaused", False, 3_600)
    with house.chain.reverts("NeedsReset", 1):
        house.take()
    house.chain.send(me("keeper"), house.auction, "redo", 1, me("keeper"))
    house.take()  # what was in auction may be sold in the grace period
    assert house.problems() == {}


# --- random actions


def random_run(desk: Desk, rng: random.Random, steps: int, **kinds: str) -> dict[str, str]:
    """Random prices, triggers, purchases and resets until something is wrong."""
    house = House(
        desk,
        hole=60_000 * WAD,
        own_hole=50_000 * WAD,
        base_rate=RAY // 10,
        reserve_factor=1_000,
        **kinds,
    )
    names = [f"b{i}" for i in range(6)]
    for i, name in enumerate(names):
        desk.borrower(10 + 3 * i, (10 + 3 * i) * 1_550, who=name)
    desk.purse("bank", desk.market, "ETH")
    done = {"kick": 0, "take": 0, "redo": 0, "part": 0, "full": 0}
    price = 2_000
    for _ in range(steps):
        if rng.random() < 0.3:
            price = rng.randint(1_200, 2_000)
            desk.price("ETH", price * PRICE)
        action = rng.choice(("kick", "kick", "take", "take", "redo", "wait", "open"))
        who = rng.choice(names)
        running = house.chain.read(house.auction, "list")
        after = rng.choice((1, 12, 60, 600, 3_600))
        try:
            if action == "kick":
                house.kick(who, after=after)
                done["kick"] += 1
                done["part" if desk.debt_of(who, "USD") else "full"] += 1
            elif action == "take" and running:
                number = rng.choice(running)
                most = MAX if rng.random() < 0.4 else rng.randint(1, 10 * WAD)
                sale = house.chain.read(house.auction, "sale", number)
                event = house.taken(number, most, claims=rng.random() < 0.3, after=after)
                done["take"] += 1
                top, started = sale[9], sale[8]
                problem = wrong_purchase(
                    bought=event["bought"],
                    paid=event["paid"],
                    price_ray=stairs(top, house.chain.now - started),
                    tab_before=sale[5],
                )
                if problem:
                    return {"AUC-3": problem}
            elif action == "redo" and running:
                args = (rng.choice(running), me("keeper"))
                house.chain.send(me("keeper"), house.auction, "redo", *args, after=after)
                done["redo"] += 1
            elif action == "open":
                desk.send("bank", "supply", desk.asset("ETH"), 5 * WAD, me(who))
                room = desk.claims_of(who, "ETH") * price * 8 // 10 - desk.debt_of(who, "USD")
                if room > 0:
                    desk.borrow(who, "USD", room * 99 // 100)
            else:
                house.chain.wait(after)
        except Reverted as error:
            if str(error).startswith("Panic"):
                raise
        problems = house.problems()
        if problems:
            return problems
    print(done)
    assert all(done.values()), done
    return {}


def test_the_throttle_holds_and_the_books_balance_under_random_actions(
    desk: Desk, rng: random.Random
) -> None:
    assert random_run(desk, rng, 500) == {}


@pytest.mark.parametrize(
    ("identifier", "kinds"),
    [
        ("AUC-1", {"trigger": "TriggerForgetsDirt"}),
        ("AUC-2", {"auction": "AuctionClearsHalf"}),
        ("AUC-3", {"auction": "AuctionRoundsDown"}),
    ],
)
def test_each_planted_bug_is_caught(
    desk: Desk, rng: random.Random, identifier: str, kinds: dict[str, str]
) -> None:
    problems = random_run(desk, rng, 2_000, **kinds)
    print(problems)
    assert list(problems) == [identifier]
    with pytest.raises(InvariantViolation, match=identifier):
        enforce(identifier, problems[identifier])
