"""Leaving shares by two ways: no other division or amount brings more than what is planned."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from harness.curves import PIPS, Hop
from harness.share_exit import ShareExit

RESERVES = st.integers(10**9, 10**15)
FEES = st.just(0) | st.integers(0, 50_000)
HOPS = st.builds(Hop, RESERVES, RESERVES, FEES)
NOT_ONWARD = st.none()
ANY = NOT_ONWARD | HOPS


@st.composite
def exits(draw, onward):
    """Ways out of shares near their worth, with some cash."""
    pool = draw(HOPS)
    shares = draw(st.integers(10**9, 10**16))
    # worth within a factor of two of the pool's price, as ever larger gaps are arbitraged
    factor = draw(st.integers(50, 200))
    assets = max(1, shares * pool.reserve_out * factor // (pool.reserve_in * 100))
    return ShareExit(assets, shares, draw(st.integers(0, shares)), pool, draw(onward))


def brought(ways: ShareExit, redeemed: int, amount: int) -> Fraction:
    """What a division brings where nothing is rounded."""
    kept = Fraction((amount - redeemed) * (PIPS - ways.pool.fee_pips), PIPS)
    sold = kept * ways.pool.reserve_out / (ways.pool.reserve_in + kept)
    return Fraction(redeemed * ways.assets, ways.shares) + sold


@given(exits(NOT_ONWARD), st.integers(1, 10**15), st.lists(st.integers(0, 10**15), max_size=8))
def test_no_division_of_a_sale_brings_more(ways, amount, others):
    amount = min(amount, ways.shares)
    best = brought(ways, ways.redeemed(amount), amount)
    for other in [0, *others, ways.redeemable]:
        tried = min(other, ways.redeemable, amount)
        # the turn is cut to a unit, and a unit is worth at most a share or what the pool pays
        unit = 1 + max(
            Fraction(ways.assets, ways.shares),
            Fraction(ways.pool.reserve_out, ways.pool.reserve_in),
        )
        assert brought(ways, tried, amount) <= best + 2 * unit


@given(exits(ANY), st.integers(10**4, 10**12), st.integers(50, 150))
def test_no_other_amount_earns_more_over_what_it_costs(ways, seized, percent):
    """Seized at half to one and a half times what they are worth."""
    price = Fraction(ways.assets, ways.shares)
    if ways.onward is not None:
        price *= Fraction(ways.onward.reserve_out, ways.onward.reserve_in)
    seized = min(seized, ways.shares)
    repaid = max(1, int(seized * price * percent / 100))

    def gain(amount):
        return ways.amount_out(amount) - Fraction(amount * repaid, seized)

    best = min(ways.best_sale(seized, repaid), seized)
    # reserves of chained curves, their roots and what is paid are cut to units; one of what the
    # pool pays is worth so much onward
    unit = 1 + price + Fraction(ways.pool.reserve_out, ways.pool.reserve_in)
    if ways.onward is not None:
        unit *= 1 + Fraction(ways.onward.reserve_out, ways.onward.reserve_in)
    spared = 4 * unit
    for tenth in range(11):
        assert gain(seized * tenth // 10) <= gain(best) + spared


@given(exits(ANY), st.integers(1, 10**13), st.integers(1, 10**13))
def test_two_sales_bring_no_more_than_one_and_as_much_without_fees(ways, first, second):
    first, second = min(first, ways.shares // 2), min(second, ways.shares // 2)
    together = ways.amount_out(first + second)
    apart = ways.amount_out(first) + ways.after(first).amount_out(second)
    unit = 1 + Fraction(ways.assets, ways.shares)
    unit += Fraction(ways.pool.reserve_out, ways.pool.reserve_in)
    if ways.onward is not None:
        unit *= 1 + Fraction(ways.onward.reserve_out, ways.onward.reserve_in)
    # what the first sale's fee leaves in the pool is more for the second to move
    assert apart <= together + 4 * unit
    if ways.pool.fee_pips == 0 and (ways.onward is None or ways.onward.fee_pips == 0):
        assert apart >= together - 4 * unit


def test_shares_that_are_worth_nothing_are_all_sold():
    ways = ShareExit(0, 10**12, 10**12, Hop(10**9, 10**9, 3_000))
    assert ways.redeemed(10**6) == 0
    assert ways.amount_out(10**6) == ways.pool.amount_out(10**6)
