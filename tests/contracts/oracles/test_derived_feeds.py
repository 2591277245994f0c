"""Median, bound, cap, product, stuck and stale feeds, each against a calculation of its own."""

from __future__ import annotations

import random
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from harness.accounts import account

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

WAD = 10**18
RAY = 10**27
USD = 10**8
NEVER = (1 << 256) - 1
NO_LIMIT = (1 << 255) - 1


# --- Median


@pytest.mark.parametrize(("count", "quorum"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 4)])
def test_median_of_the_fresh_sources(
    chain: Chain, feeds: Any, rng: random.Random, count: int, quorum: int
) -> None:
    places = [rng.choice([6, 8, 18]) for _ in range(count)]
    sources = [feeds.push(decimals=place) for place in places]
    addresses = [source.address for source in sources]
    feed = chain.deploy("MedianFeed", addresses, 100, quorum, 8, "median")
    assert chain.read(feed, "sources") == tuple(addresses)
    written: dict[int, tuple[int, int]] = {}
    refused = answered = 0
    for rounds in range(1, 121):
        i = rng.randrange(count)
        price = rng.randint(1_500 * USD, 2_500 * USD) * 10 ** places[i] // USD
        answer = rng.choice([price] * 8 + [0, -price])
        feeds.write(sources[i], answer, after=rng.choice([1, 1, 5, 20, 101]))
        written[i] = (answer, chain.now)
        fresh = [
            (answer * USD // 10 ** places[j], at)
            for j, (answer, at) in written.items()
            if answer > 0 and chain.now - at <= 100
        ]
        if len(fresh) < quorum:
            with chain.reverts("NoQuorum", len(fresh), quorum):
                chain.read(feed, "latestRoundData")
            refused += 1
        else:
            middle = int(median(Fraction(answer) for answer, _ in fresh))
            oldest = min(at for _, at in fresh)
            found = chain.read(feed, "latestRoundData")
            assert found == (rounds, middle, oldest, oldest, rounds)
            answered += 1
    assert answered
    assert refused or quorum == 1


def test_one_liar_of_three_does_not_move_a_median_past_the_honest(chain: Chain, feeds: Any) -> None:
    honest = [feeds.push(1_990 * USD), feeds.push(2_010 * USD)]
    liar = feeds.push(2_000 * USD)
    addresses = [source.address for source in (*honest, liar)]
    feed = chain.deploy("MedianFeed", addresses, 0, 2, 8, "median")
    for lie in (1, 10**15, NO_LIMIT >> 64):
        feeds.write(liar, lie)
        assert 1_990 * USD <= feeds.answer(feed) <= 2_010 * USD


@pytest.mark.parametrize("quorum", [0, 3])
def test_a_quorum_that_cannot_be_met_or_missed_is_refused(
    chain: Chain, feeds: Any, quorum: int
) -> None:
    sources = [feeds.push(USD).address for _ in range(2)]
    with chain.reverts("InvalidConfig", "quorum"):
        chain.deploy("MedianFeed", sources, 0, quorum, 8, "median")


# --- Bound


@pytest.mark.parametrize("clamps", [True, False])
@pytest.mark.parametrize(("places", "anchor_places"), [(8, 8), (8, 18), (18, 6)])
def test_an_answer_stays_within_its_distance_from_the_anchor(
    chain: Chain,
    feeds: Any,
    rng: random.Random,
    clamps: bool,
    places: int,
    anchor_places: int,
) -> None:
    primary, anchor = feeds.push(decimals=places), feeds.push(decimals=anchor_places)
    feed = chain.deploy("BoundedFeed", primary.address, anchor.address, 500, clamps, "bounded")
    feeds.write(anchor, 2_000 * 10**anchor_places)
    inside = outside = 0
    held = 2_000 * 10**places
    for _ in range(60):
        if rng.random() < 0.3:
            price = rng.randint(1_800_000, 2_200_000)
            feeds.write(anchor, price * 10**anchor_places // 1_000)
            held = price * 10**places // 1_000
        edges = [-(-held * 95 // 100), held * 105 // 100]
        answer = rng.choice(
            [held * rng.randint(90, 110) // 100, edges[0], edges[1], edges[0] - 1, edges[1] + 1]
        )
        feeds.write(primary, answer)
        off = Fraction(abs(answer - held), held)
        if off <= Fraction(5, 100):
            assert feeds.answer(feed) == answer
            inside += 1
        elif clamps:
            assert feeds.answer(feed) == (edges[0] if answer < held else edges[1])
            outside += 1
        else:
            with chain.reverts("DeviationTooLarge", answer, held):
                chain.read(feed, "latestRoundData")
            outside += 1
    assert min(inside, outside) > 5


def test_a_bounded_answer_is_as_old_as_the_older_of_the_two(chain: Chain, feeds: Any) -> None:
    primary, anchor = feeds.push(2_000 * USD), feeds.push(2_000 * USD)
    first, second = feeds.updated_at(primary), feeds.updated_at(anchor)
    feed = chain.deploy("BoundedFeed", primary.address, anchor.address, 500, True, "bounded")
    assert chain.read(feed, "latestRoundData") == (1, 2_000 * USD, first, first, 1)
    feeds.write(primary, 2_001 * USD)
    assert chain.read(feed, "latestRoundData") == (2, 2_001 * USD, second, second, 2)
    feeds.write(anchor, 0)
    with chain.reverts("InvalidAnchor", 0):
        chain.read(feed, "latestRoundData")
    with chain.reverts("InvalidConfig", "maxDeviationBps"):
        chain.deploy("BoundedFeed", primary.address, anchor.address, 10_000, True, "bounded")


# --- Cap


def test_a_share_price_follows_its_source_up_to_the_cap(
    chain: Chain, feeds: Any, rng: random.Random
) -> None:
    source = feeds.push(WAD, decimals=18)
    start = chain.now - 1_000
    rate = RAY // 10 // (365 * 24 * 3_600)  # 10% a year
    feed = chain.deploy("CappedGrowthFeed", source.address, WAD, start, rate, "capped")
    capped = free = 0
    for _ in range(80):
        after = rng.choice([1, 3_600, 24 * 3_600])
        cap = WAD + (chain.now + after - start) * rate * WAD // RAY
        near = cap + rng.randint(-(10**15), 10**15)
        answer = rng.choice([cap - 1, cap, cap + 1, near, WAD // 2, 2 * WAD, 0, -1])
        feeds.write(source, answer, after=after)
        assert chain.read(feed, "cap") == cap
        assert feeds.answer(feed) == min(answer, cap)
        capped += answer > cap
        free += answer <= cap
    assert min(capped, free) > 5
    assert chain.read(feed, "latestRoundData")[2:] == chain.read(source, "latestRoundData")[2:]


def test_a_cap_without_a_reference_is_refused(chain: Chain, feeds: Any) -> None:
    source = feeds.push(WAD)
    for field, answer, when in (("referenceAnswer", 0, 0), ("referenceTime", 1, 1 << 40)):
        with chain.reverts("InvalidConfig", field):
            chain.deploy("CappedGrowthFeed", source.address, answer, when, 0, "capped")


# --- Product


def test_a_product_is_rounded_down_once(chain: Chain, feeds: Any, rng: random.Random) -> None:
    for _ in range(10):
        places = [rng.choice([0, 6, 8, 18]) for _ in range(3)]
        answers = [rng.randint(1, 10**6 * 10**place) for place in places[:2]]
        first, second = (
            feeds.push(answer, decimals=place)
            for answer, place in zip(answers, places[:2], strict=True)
        )
        feed = chain.deploy("ProductFeed", first.address, second.address, places[2], "product")
        exact = Fraction(answers[0], 10 ** places[0]) * Fraction(answers[1], 10 ** places[1])
        at = feeds.updated_at(first)
        assert chain.read(feed, "latestRoundData") == (2, exact * 10 ** places[2] // 1, at, at, 2)
        feeds.write(first, answers[0])
        assert feeds.updated_at(feed) == feeds.updated_at(second)
        for bad in (0, -1):
            feeds.write(second, bad)
            assert feeds.answer(feed) == 0


# --- Stuck and stale


def test_a_stuck_feed_reports_its_minimum_and_goes_on_being_updated(
    chain: Chain, feeds: Any
) -> None:
    """LUNA on 12 May 2022: the feed's minimum was $0.10, the market at $0.01."""
    minimum = USD // 10
    source = feeds.push(80 * USD)
    feed = chain.deploy("StuckFeed", source.address, minimum, NEVER, "LUNA / USD")
    for price in (80 * USD, 5 * USD, minimum, minimum - 1, USD // 100, 0, -1, 2 * USD):
        feeds.write(source, price, after=60)
        answer = max(price, minimum)
        assert feeds.answer(feed) == answer
        assert feeds.updated_at(feed) == chain.now
        round_id = chain.read(feed, "latestRoundData")[0]
        assert chain.read(feed, "getRoundData", round_id)[1] == answer


def test_only_a_bound_at_the_minimum_sees_a_stuck_feed(chain: Chain, feeds: Any) -> None:
    minimum = USD // 10
    source = feeds.push(USD // 100)
    feed = chain.deploy("StuckFeed", source.address, minimum, NEVER, "LUNA / USD")
    reader = chain.deploy("LibraryProbe")
    assert chain.read(reader, "read", feed.address, 60, 0, NO_LIMIT) == minimum
    with chain.reverts("AnswerOutOfBounds", feed, minimum):
        chain.read(reader, "read", feed.address, 60, minimum, NO_LIMIT)


@pytest.mark.parametrize("rounds", [1, 2, 7, 20])
def test_a_stale_feed_stays_at_the_last_round_it_heard_of(
    chain: Chain, feeds: Any, rng: random.Random, rounds: int
) -> None:
    source = feeds.push()
    stale_from = chain.now + 500
    feed = chain.deploy("StuckFeed", source.address, -(1 << 255), stale_from, "stale")
    heard: list[tuple[int, int, int]] = []
    for i in range(rounds):
        price = rng.randint(1, 10**12)
        feeds.write(
            source,
            price,
            after=rng.choice([1, 90, 200, stale_from - chain.now])
            if chain.now < stale_from
            else 100,
        )
        if chain.now < stale_from:
            heard.append((i + 1, price, chain.now))
        if not heard:
            with chain.reverts("NoDataPresent", 0):
                chain.read(feed, "latestRoundData")
            continue
        assert chain.read(feed, "latestRoundData")[0:3] == heard[-1]
    if not heard:
        return
    chain.wait(1_000)
    reader = chain.deploy("LibraryProbe")
    with chain.reverts("StalePrice", feed, heard[-1][2]):
        chain.read(reader, "read", feed.address, 600, 0, NO_LIMIT)
    assert chain.read(feed, "getRoundData", heard[0][0])[1] == heard[0][1]
    if len(heard) < rounds:
        with chain.reverts("NoDataPresent", rounds):
            chain.read(feed, "getRoundData", rounds)


def test_a_round_at_the_very_time_is_not_heard_of(chain: Chain, feeds: Any) -> None:
    source = feeds.push()
    feed = chain.deploy("StuckFeed", source.address, 0, chain.now + 4, "stale")
    for price in (1, 2, 3, 4):  # the third is written at that time
        feeds.write(source, price)
        assert feeds.answer(feed) == min(price, 2)
    for missing in (3, 4):
        with chain.reverts("NoDataPresent", missing):
            chain.read(feed, "getRoundData", missing)
    assert chain.read(feed, "getRoundData", 2)[1] == 2


def test_a_feed_stale_before_its_first_round_says_nothing(chain: Chain, feeds: Any) -> None:
    source = feeds.push()
    feed = chain.deploy("StuckFeed", source.address, 0, chain.now, "stale")
    feeds.write(source, USD)
    with chain.reverts("NoDataPresent", 0):
        chain.read(feed, "latestRoundData")


# --- All of them


def test_each_says_what_it_is_and_keeps_no_history(chain: Chain, feeds: Any) -> None:
    source = feeds.push(USD)
    other = feeds.push(USD)
    both = (source.address, other.address)
    made = {
        "median": chain.deploy("MedianFeed", list(both), 0, 1, 8, "median"),
        "bounded": chain.deploy("BoundedFeed", *both, 100, True, "bounded"),
        "capped": chain.deploy("CappedGrowthFeed", both[0], USD, 0, 0, "capped"),
        "product": chain.deploy("ProductFeed", *both, 8, "product"),
    }
    for name, feed in made.items():
        assert chain.read(feed, "description") == name
        assert chain.read(feed, "decimals") == 8
        assert chain.read(feed, "version") == 1
        latest = chain.read(feed, "latestRoundData")
        assert latest[1] == USD
        assert chain.read(feed, "getRoundData", latest[0]) == latest
        with chain.reverts("NoDataPresent", latest[0] + 1):
            chain.read(feed, "getRoundData", latest[0] + 1)
    with chain.reverts("InvalidConfig", "decimals"):
        chain.deploy("ProductFeed", *both, 19, "product")
    fine = chain.deploy("PushFeed", account("reporter").address, 19, "too fine")
    with chain.reverts("InvalidConfig", "sources"):
        chain.deploy("MedianFeed", [fine.address], 0, 1, 8, "median")
    with chain.reverts("InvalidConfig", "anchor"):
        chain.deploy("BoundedFeed", source.address, fine.address, 100, True, "bounded")
