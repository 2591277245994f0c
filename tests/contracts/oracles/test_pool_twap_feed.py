"""The pool average against an integration of the pool's own history, second by second."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from harness.accounts import account

if TYPE_CHECKING:
    from harness.contracts import Contract
    from tests.contracts.conftest import Chain

WAD = 10**18
USD = 10**8
MAX = (1 << 256) - 1
TRADER = account("trader").address
ANYONE = account("anyone").address


class Market:
    """A pool that a trader moves, and every (time, base reserve, quote reserve) it ever had."""

    def __init__(
        self, chain: Chain, feeds: Any, decimals: tuple[int, int], base_first: bool = True
    ) -> None:
        self.chain, self.feeds, self.decimals = chain, feeds, decimals
        self.base = chain.token("BASE", decimals[0])
        self.quote = chain.token("QUOTE", decimals[1])
        reserves = (1_000 * 10 ** decimals[0], 2_000_000 * 10 ** decimals[1])
        pair = (self.base, self.quote) if base_first else (self.quote, self.base)
        self.base_first = base_first
        self.pool = chain.pool(*pair, *(reserves if base_first else reserves[::-1]))
        self.router = chain.deploy("SwapRouter")
        for token in pair:
            chain.mint(token, TRADER, 10**40)
            chain.approve(TRADER, token, self.router)
        self.quote_feed = feeds.push(USD)
        self.history: list[tuple[int, int, int]] = []
        self.note()

    def feed(self, window: int, granularity: int, kind: str = "PoolTwapFeed") -> Contract:
        args = (self.pool.address, self.base.address, self.quote_feed.address)
        return self.chain.deploy(kind, *args, window, granularity, 8, "average")

    def spot(self) -> Contract:
        args = (self.pool.address, self.base.address, self.quote_feed.address)
        return self.chain.deploy("PoolSpotFeed", *args, 8, "spot")

    def note(self) -> None:
        """Write the reserves down with the time they hold from."""
        reserves = self.chain.reserves(self.pool)
        ordered = reserves if self.base_first else reserves[::-1]
        self.history.append((self.chain.now, *ordered))

    def sell(self, token: Contract, amount: int, after: int = 1) -> None:
        args = (self.pool.address, token.address, amount, 0, TRADER)
        self.chain.send(TRADER, self.router, "swapExactIn", *args, after=after)
        self.note()

    def integral(self, start: int, end: int) -> int:
        """Sum over the seconds from `start` to `end` of the price then, in 2^-112 quote wei."""
        total = 0
        steps = [*self.history, (end, 1, 0)]
        for (since, base, quote), (until, _, _) in pairwise(steps):
            seconds = min(until, end) - max(since, start)
            if seconds > 0:
                total += (quote << 112) // base * seconds
        return total

    def average(self, start: int, end: int, quote_answer: int) -> int:
        """Answer for that time, in 8 decimals."""
        up = 10 ** (8 + self.decimals[0])
        down = 10 ** (8 + self.decimals[1])
        return self.integral(start, end) * quote_answer * up // (down * (end - start) << 112)


@pytest.mark.parametrize(
    ("decimals", "base_first"), [((18, 6), True), ((8, 18), False), ((18, 18), True)]
)
@pytest.mark.parametrize(("window", "granularity"), [(600, 5), (7, 3), (1_000, 1)])
def test_average_is_the_integral_of_the_pools_history(
    chain: Chain,
    feeds: Any,
    rng: random.Random,
    decimals: tuple[int, int],
    base_first: bool,
    window: int,
    granularity: int,
) -> None:
    market = Market(chain, feeds, decimals, base_first)
    feed = market.feed(window, granularity)
    spacing = -(-window // granularity)
    pokes: list[int] = []
    quote_answer = USD
    seen: Counter[str] = Counter()
    answers = set()
    for _ in range(150):
        action = rng.choice(("trade", "trade", "poke", "poke", "poke", "wait", "quote"))
        after = rng.choice([1, 1, 2, spacing, window // 3 + 1])
        if action == "trade":
            side = rng.randrange(2)
            token = (market.base, market.quote)[side]
            reserve = market.history[-1][1 + side]
            market.sell(token, max(1, int(reserve * rng.uniform(0.0001, 0.4))), after)
        elif action == "poke":
            receipt = chain.send(ANYONE, feed, "poke", after=after)
            due = not pokes or chain.now >= pokes[-1] + spacing
            assert bool(feed.events(receipt.logs, "Observed")) == due
            if due:
                pokes.append(chain.now)
        elif action == "quote":
            quote_answer = USD + rng.randint(-(10**6), 10**6)
            feeds.write(market.quote_feed, quote_answer, after)
        else:
            chain.wait(rng.choice([after, after, 2 * window + 1]))
        kept = pokes[-(granularity + 1) :]
        old_enough = [at for at in kept if chain.now - at >= window]
        if not old_enough:
            expected: int | str = "TooYoung"
        elif chain.now - old_enough[-1] > 2 * window:
            expected = "TooOld"
        else:
            expected = market.average(old_enough[-1], chain.now, quote_answer)
            answers.add(expected)
        assert feeds.outcome(feed) == expected
        seen[str(expected) if isinstance(expected, str) else "answered"] += 1
    print(seen, len(answers))
    assert set(seen) == {"TooYoung", "TooOld", "answered"}
    assert len(answers) > 10
    first = chain.read(feed, "observationCount") - 1
    assert chain.read(feed, "observation", first)[0] == pokes[-1]
    assert chain.read(feed, "observation", first + 1) == (0, 0)
    assert chain.read(feed, "observation", 0) == (0, 0)


def test_regular_pokes_keep_the_average_near_its_window(chain: Chain, feeds: Any) -> None:
    market = Market(chain, feeds, (18, 18))
    feed = market.feed(600, 10)
    for _ in range(30):
        chain.send(ANYONE, feed, "poke", after=60)
    for _ in range(59):
        chain.wait(1)
        count = chain.read(feed, "observationCount")
        ages = [chain.now - chain.read(feed, "observation", count - i - 1)[0] for i in range(11)]
        assert 600 <= min(age for age in ages if age >= 600) < 660
        feeds.answer(feed)


def test_a_flash_swap_moves_the_spot_and_not_the_average(chain: Chain, feeds: Any) -> None:
    market = Market(chain, feeds, (18, 18))
    spot, average = market.spot(), market.feed(600, 5)
    for _ in range(8):
        chain.send(ANYONE, average, "poke", after=120)
    borrower = chain.deploy("FlashBorrower")
    chain.mint(market.quote, borrower.address, 10**30)
    # out: half the base; in: more than the quote reserve. The price quadruples.
    flash = ("borrow", market.pool.address, 500 * WAD, 0, 0, 2_010_000 * WAD)

    with chain.anchor():
        chain.wait(12)
        before = feeds.answer(spot), feeds.answer(average)
    chain.send(TRADER, borrower, *flash, after=12)
    at_once = feeds.answer(spot), feeds.answer(average)
    assert before[0] == 2_000 * USD
    assert at_once[0] > 7_900 * USD
    assert at_once[1] == before[1]

    # A block later the average has moved by the 12 seconds' share of the move, and no more.
    chain.wait(12)
    later = feeds.answer(average)
    count = chain.read(average, "observationCount")
    ages = [chain.now - chain.read(average, "observation", count - 1 - i)[0] for i in range(6)]
    over = min(age for age in ages if age >= 600)
    assert later - before[1] == pytest.approx((at_once[0] - before[0]) * 12 / over, rel=1e-6)


def test_a_loan_against_a_pushed_up_price_needs_the_spot_feed(chain: Chain, feeds: Any) -> None:
    """Push the pool, borrow at its price, in one block: bZx and Harvest, 2020."""
    market = Market(chain, feeds, (18, 18))
    kinds = {"spot": market.spot(), "average": market.feed(600, 5)}
    for _ in range(8):
        chain.send(ANYONE, kinds["average"], "poke", after=120)
    borrower = chain.deploy("FlashBorrower")
    chain.mint(market.quote, borrower.address, 10**30)
    flash = ("borrow", market.pool.address, 500 * WAD, 0, 0, 2_010_000 * WAD)
    no_limit = (1 << 127) - 1
    for kind, feed in kinds.items():
        lender = chain.deploy(
            "IsolatedMarket",
            (
                market.base.address,
                market.quote.address,
                (feed.address, 0, 0, no_limit),
                (market.quote_feed.address, 0, 0, no_limit),
                86 * WAD // 100,
                0,
                bytes(20),
                0,
                0,
                0,
                8 * 10**26,
            ),
        )
        chain.approve(TRADER, market.base, lender)
        chain.approve(TRADER, market.quote, lender)
        chain.send(TRADER, lender, "supply", 10**24, 0, ANYONE)
        chain.send(TRADER, lender, "supplyCollateral", WAD, TRADER)
        attack = [
            (TRADER, borrower, *flash),
            (TRADER, lender, "borrow", 6_000 * WAD, 0, TRADER, TRADER),
        ]
        with chain.anchor():
            if kind == "spot":
                chain.send_block(attack, after=12)
                assert chain.balance(market.base, lender) == WAD  # worth a third of the loan
            else:
                with chain.reverts("Unhealthy"):
                    chain.send_block(attack, after=12)


def test_settings_and_an_empty_pool_are_refused(chain: Chain, feeds: Any) -> None:
    market = Market(chain, feeds, (18, 18))
    for field, window, granularity in (("window", 0, 1), ("granularity", 1, 0)):
        with chain.reverts("InvalidConfig", field):
            market.feed(window, granularity)
    other = chain.token("OTHER")
    args = (market.quote_feed.address, 60, 2, 8, "average")
    with chain.reverts("NotInPool", other):
        chain.deploy("PoolTwapFeed", market.pool.address, other.address, *args)
    empty = chain.deploy("ConstantProductPool", market.base.address, market.quote.address, 3000)
    feed = chain.deploy("PoolTwapFeed", empty.address, market.base.address, *args)
    with chain.reverts("EmptyPool"):
        chain.send(ANYONE, feed, "poke")
    with chain.reverts("TooYoung", 0, 60):
        chain.read(feed, "latestRoundData")


def test_round_and_time_are_the_quote_feeds(chain: Chain, feeds: Any) -> None:
    market = Market(chain, feeds, (18, 18))
    feed = market.feed(60, 2)
    for _ in range(3):
        chain.send(ANYONE, feed, "poke", after=30)
    feeds.write(market.quote_feed, USD // 2)
    round_id, answer, started, updated, answered = chain.read(feed, "latestRoundData")
    assert (round_id, started, updated, answered) == (2, chain.now, chain.now, 2)
    assert answer == 1_000 * USD
    assert chain.read(feed, "getRoundData", 2)[1] == answer
    with chain.reverts("NoDataPresent", 1):
        chain.read(feed, "getRoundData", 1)
    feeds.write(market.quote_feed, -5)
    assert feeds.answer(feed) == 0
