"""Price feeds and the checks on reading them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from harness.contracts import parse_artifact

if TYPE_CHECKING:
    from harness.contracts import Contract
    from tests.contracts.conftest import Chain

USD = 10**8
NO_LIMIT = (1 << 255) - 1


@pytest.fixture
def feed(chain: Chain) -> Contract:
    return chain.deploy("PushFeed", chain.address("reporter"), 8, "ETH / USD")


@pytest.fixture
def reader(chain: Chain) -> Contract:
    return chain.deploy("LibraryProbe")


def _transmit(chain: Chain, feed: Contract, answer: int, after: int = 1) -> None:
    chain.send(chain.address("reporter"), feed, "transmit", answer, after=after)


def test_says_what_it_is(chain: Chain, feed: Contract) -> None:
    assert chain.read(feed, "decimals") == 8
    assert chain.read(feed, "description") == "ETH / USD"
    assert chain.read(feed, "version") == 1
    assert chain.read(feed, "reporter") == chain.address("reporter")


def test_rounds_count_from_one_and_stay_readable(chain: Chain, feed: Contract) -> None:
    with chain.reverts("NoDataPresent", 0):
        chain.read(feed, "latestRoundData")
    seen = []
    for round_id, answer in enumerate((2000 * USD, 1900 * USD, 0, -5), start=1):
        receipt = chain.send(chain.address("reporter"), feed, "transmit", answer, after=12)
        assert feed.events(receipt.logs, "AnswerUpdated") == [
            {"current": answer, "roundId": round_id, "updatedAt": chain.now}
        ]
        seen.append((round_id, answer, chain.now, chain.now, round_id))
        assert chain.read(feed, "latestRoundData") == seen[-1]
    for round_data in seen:
        assert chain.read(feed, "getRoundData", round_data[0]) == round_data
    for missing in (0, 5):
        with chain.reverts("NoDataPresent", missing):
            chain.read(feed, "getRoundData", missing)


def test_only_the_reporter_transmits(chain: Chain, feed: Contract) -> None:
    thief = chain.address("thief")
    with chain.reverts("NotReporter", thief):
        chain.send(thief, feed, "transmit", 1)


def test_an_answer_beyond_192_bits_is_refused(chain: Chain, feed: Contract) -> None:
    for answer in ((1 << 191) - 1, -(1 << 191)):
        _transmit(chain, feed, answer)
        assert chain.read(feed, "latestRoundData")[1] == answer
    for answer in (1 << 191, -(1 << 191) - 1):
        with chain.reverts("AnswerTooLarge", answer):
            _transmit(chain, feed, answer)


def test_an_answer_may_be_exactly_as_old_as_allowed(
    chain: Chain, feed: Contract, reader: Contract
) -> None:
    _transmit(chain, feed, 2000 * USD)
    written = chain.now
    chain.wait(60)
    assert chain.read(reader, "read", feed.address, 60, 0, NO_LIMIT) == 2000 * USD
    chain.wait(1)
    with chain.reverts("StalePrice", feed, written):
        chain.read(reader, "read", feed.address, 60, 0, NO_LIMIT)
    assert chain.read(reader, "read", feed.address, 0, 0, NO_LIMIT) == 2000 * USD


def test_a_feed_that_was_never_updated_is_stale(chain: Chain, reader: Contract) -> None:
    # code that returns five words of zero, whatever it is asked: PUSH1 160 PUSH0 RETURN
    zeros = {"contractName": "Zeros", "abi": [], "deployedBytecode": "0x60a05ff3"}
    code = parse_artifact({**zeros, "bytecode": "0x6360a05ff35f526004601cf3"})
    feed = chain.deploy("Zeros", compiled=code)
    with chain.reverts("StalePrice", feed, 0):
        chain.read(reader, "read", feed.address, 0, 0, NO_LIMIT)


def test_an_answer_at_a_bound_is_refused(chain: Chain, feed: Contract, reader: Contract) -> None:
    low, high = 100 * USD, 5000 * USD
    for answer in (low - 1, low, high, high + 1):
        _transmit(chain, feed, answer)
        with chain.reverts("AnswerOutOfBounds", feed, answer):
            chain.read(reader, "read", feed.address, 0, low, high)
    for answer in (low + 1, high - 1):
        _transmit(chain, feed, answer)
        assert chain.read(reader, "read", feed.address, 0, low, high) == answer


@pytest.mark.parametrize("answer", [0, -1])
def test_no_lower_bound_lets_a_worthless_answer_pass(
    chain: Chain, feed: Contract, reader: Contract, answer: int
) -> None:
    _transmit(chain, feed, answer)
    with chain.reverts("AnswerOutOfBounds", feed, answer):
        chain.read(reader, "read", feed.address, 0, -100, NO_LIMIT)


@pytest.mark.parametrize("base_decimals", [6, 8, 18])
@pytest.mark.parametrize("quote_decimals", [6, 8, 18])
@pytest.mark.parametrize("base_first", [True, False])
def test_spot_feed_is_the_pools_price_in_usd_whatever_the_decimals(
    chain: Chain, base_decimals: int, quote_decimals: int, base_first: bool, rng: random.Random
) -> None:
    base, quote = chain.token("BASE", base_decimals), chain.token("QUOTE", quote_decimals)
    quote_feed = chain.deploy("PushFeed", chain.address("reporter"), 8, "QUOTE / USD")
    _transmit(chain, quote_feed, 97 * USD // 100)
    base_wei, quote_wei = 1000 * 10**base_decimals + 1, 2_000_000 * 10**quote_decimals + 7
    pair = (base, quote) if base_first else (quote, base)
    amounts = (base_wei, quote_wei) if base_first else (quote_wei, base_wei)
    pool = chain.pool(*pair, *amounts)
    for decimals in (0, 8, 18):
        feed = chain.deploy(
            "PoolSpotFeed", pool.address, base.address, quote_feed.address, decimals, "BASE / USD"
        )
        _, answer, started, updated, _ = chain.read(feed, "latestRoundData")
        exact_up = quote_wei * 97 * 10 ** (base_decimals + decimals)
        assert answer == exact_up // (base_wei * 100 * 10**quote_decimals)
        assert abs(answer - 1940 * 10**decimals) <= 1940 * 10**decimals // 10**6 + 1
        assert started == updated == chain.read(quote_feed, "latestRoundData")[3]


def test_spot_feed_follows_the_pool_and_inherits_the_quotes_age(chain: Chain) -> None:
    base, quote = chain.token("BASE"), chain.token("QUOTE", 6)
    quote_feed = chain.deploy("PushFeed", chain.address("reporter"), 8, "QUOTE / USD")
    pool = chain.pool(base, quote, 1000 * 10**18, 2_000_000 * 10**6)
    feed = chain.deploy("PoolSpotFeed", pool.address, base.address, quote_feed.address, 8, "spot")
    with chain.reverts("NoDataPresent", 0):
        chain.read(feed, "latestRoundData")
    _transmit(chain, quote_feed, USD)
    written = chain.now
    assert chain.read(feed, "latestRoundData") == (1, 2000 * USD, written, written, 1)
    assert chain.read(feed, "getRoundData", 1) == (1, 2000 * USD, written, written, 1)
    with chain.reverts("NoDataPresent", 2):
        chain.read(feed, "getRoundData", 2)
    chain.mint(base, pool.address, 1000 * 10**18)
    chain.send(chain.address("anyone"), pool, "sync", after=100)
    assert chain.read(feed, "latestRoundData")[:4] == (1, 1000 * USD, written, written)


@pytest.mark.parametrize("quote_answer", [0, -1])
def test_spot_feed_of_a_worthless_quote_is_zero(chain: Chain, quote_answer: int) -> None:
    base, quote = chain.token("BASE"), chain.token("QUOTE")
    quote_feed = chain.deploy("PushFeed", chain.address("reporter"), 8, "QUOTE / USD")
    _transmit(chain, quote_feed, quote_answer)
    pool = chain.pool(base, quote, 10**21, 10**21)
    feed = chain.deploy("PoolSpotFeed", pool.address, base.address, quote_feed.address, 8, "spot")
    assert chain.read(feed, "latestRoundData")[1] == 0


def test_spot_feed_refuses_a_strange_token_and_an_empty_pool(chain: Chain) -> None:
    base, quote, other = chain.token("BASE"), chain.token("QUOTE"), chain.token("OTHER")
    quote_feed = chain.deploy("PushFeed", chain.address("reporter"), 8, "QUOTE / USD")
    _transmit(chain, quote_feed, USD)
    pool = chain.deploy("ConstantProductPool", base.address, quote.address, 3000)
    with chain.reverts("NotInPool", other):
        chain.deploy("PoolSpotFeed", pool.address, other.address, quote_feed.address, 8, "spot")
    feed = chain.deploy("PoolSpotFeed", pool.address, base.address, quote_feed.address, 8, "spot")
    with chain.reverts("EmptyPool"):
        chain.read(feed, "latestRoundData")
