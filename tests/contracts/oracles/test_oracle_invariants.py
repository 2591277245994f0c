"""The feeds' invariants hold, and each catches the feed with its bug planted."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from harness.accounts import account
from harness.errors import InvariantViolation
from harness.testing.invariants import enforce
from harness.testing.oracle_invariants import (
    ORACLE_INVARIANTS,
    wrong_average,
    wrong_bounded,
    wrong_capped,
    wrong_median,
    wrong_stuck,
)

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

WAD = 10**18
RAY = 10**27
USD = 10**8
TRADER = account("trader").address
ROUNDS = 80


def _average(chain: Chain, feeds: Any, rng: random.Random, kind: str) -> str | None:
    """Trades, each with the average of its block without it and with it."""
    base, quote = chain.token("BASE"), chain.token("QUOTE")
    pool = chain.pool(base, quote, 1_000 * WAD, 2_000_000 * WAD)
    router = chain.deploy("SwapRouter")
    for token in (base, quote):
        chain.mint(token, TRADER, 10**40)
        chain.approve(TRADER, token, router)
    dollar = feeds.push(USD)
    args = (pool.address, base.address, dollar.address, 300, 5, 8, "average")
    feed = chain.deploy(kind, *args)
    for _ in range(8):
        chain.send(TRADER, feed, "poke", after=60)
    for _ in range(ROUNDS):
        after = rng.choice([1, 12, 40])
        with chain.anchor():
            chain.wait(after)
            without = feeds.answer(feed)
        token = rng.choice((base, quote))
        amount = chain.reserves(pool)[token is quote] * rng.randint(1, 300) // 1_000
        swap = (pool.address, token.address, amount, 0, TRADER)
        chain.send(TRADER, router, "swapExactIn", *swap, after=after)
        problem = wrong_average(without, feeds.answer(feed))
        if problem:
            return problem
        chain.send(TRADER, feed, "poke", after=rng.choice([1, 60]))
    return None


def _median(chain: Chain, feeds: Any, rng: random.Random, kind: str) -> str | None:
    """Sources that come, go silent and fail."""
    sources = [feeds.push(2_000 * USD) for _ in range(4)]
    written = [(2_000 * USD, chain.now - 3 + i) for i in range(4)]
    feed = chain.deploy(kind, [source.address for source in sources], 60, 2, 8, "median")
    for _ in range(ROUNDS):
        i = rng.randrange(4)
        answer = rng.choice([rng.randint(1_500 * USD, 2_500 * USD)] * 5 + [0])
        feeds.write(sources[i], answer, after=rng.choice([1, 12, 30]))
        written[i] = (answer, chain.now)
        fresh = [a for a, at in written if a > 0 and chain.now - at <= 60]
        found = feeds.outcome(feed)
        if found == "NoQuorum":
            if len(fresh) >= 2:
                return f"{len(fresh)} sources are fresh and the feed refuses"
            continue
        problem = wrong_median(found, fresh, quorum=2)
        if problem:
            return problem
    return None


def _bounded(chain: Chain, feeds: Any, rng: random.Random, kind: str) -> str | None:
    """A primary that strays from its anchor."""
    primary, anchor = feeds.push(2_000 * USD), feeds.push(2_000 * USD)
    feed = chain.deploy(kind, primary.address, anchor.address, 300, True, "bounded")
    for _ in range(ROUNDS):
        held = rng.randint(1_900 * USD, 2_100 * USD)
        feeds.write(anchor, held)
        feeds.write(primary, rng.randint(1_700 * USD, 2_300 * USD))
        problem = wrong_bounded(feeds.answer(feed), held, max_deviation_bps=300)
        if problem:
            return problem
    return None


def _capped(chain: Chain, feeds: Any, rng: random.Random, kind: str) -> str | None:
    """A share price that is given more than it may grow."""
    source = feeds.push(WAD, decimals=18)
    start, growth = chain.now, RAY // (365 * 24 * 3_600)
    feed = chain.deploy(kind, source.address, WAD, start, growth, "capped")
    for _ in range(ROUNDS):
        feeds.write(source, rng.randint(WAD // 2, 3 * WAD), after=rng.choice([1, 10**5]))
        problem = wrong_capped(
            feeds.answer(feed), reference=WAD, growth_ray=growth, seconds=chain.now - start
        )
        if problem:
            return problem
    return None


def _stuck(chain: Chain, feeds: Any, rng: random.Random, kind: str) -> str | None:
    """A source that falls below the minimum and goes on after the feed went stale."""
    source = feeds.push(100 * USD)
    minimum, stale = 10 * USD, chain.now + 600
    feed = chain.deploy(kind, source.address, minimum, stale, "stuck")
    for _ in range(ROUNDS):
        feeds.write(source, rng.randint(1 * USD, 100 * USD), after=rng.choice([1, 12, 30]))
        _, answer, _, updated_at, _ = chain.read(feed, "latestRoundData")
        problem = wrong_stuck(answer, updated_at, minimum=minimum, stale_from=stale)
        if problem:
            return problem
    return None


CASES: list[tuple[str, Callable[..., str | None], str, str]] = [
    ("ORA-1", _average, "PoolTwapFeed", "TwapCountsSpot"),
    ("ORA-2", _median, "MedianFeed", "MedianCountsStale"),
    ("ORA-3", _bounded, "BoundedFeed", "BoundedBelowOnly"),
    ("ORA-4", _capped, "CappedGrowthFeed", "CapCompounds"),
    ("ORA-5", _stuck, "StuckFeed", "StuckHearsOn"),
]


@pytest.mark.parametrize(("identifier", "run", "real", "mutant"), CASES)
def test_the_real_feed_keeps_its_invariant_and_the_planted_bug_is_caught(
    chain: Chain,
    feeds: Any,
    rng: random.Random,
    identifier: str,
    run: Callable[..., str | None],
    real: str,
    mutant: str,
) -> None:
    state = rng.getstate()
    enforce(identifier, run(chain, feeds, rng, real))
    rng.setstate(state)
    problem = run(chain, feeds, rng, mutant)
    print(identifier, problem)
    with pytest.raises(InvariantViolation, match=identifier):
        enforce(identifier, problem)


def test_every_invariant_has_a_planted_bug() -> None:
    assert [case[0] for case in CASES] == sorted(ORACLE_INVARIANTS)


def test_a_median_of_too_few_is_found() -> None:
    assert "2 are needed" in (wrong_median(5, [5], quorum=2) or "")
