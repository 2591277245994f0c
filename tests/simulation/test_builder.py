"""What enters a block and in which order."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.builder import Adversarial, FeeAuction, RandomOrder, merge, select
from harness.engine.base import Transaction
from harness.errors import ScenarioError
from harness.orders import DECLARED_GAS, Order
from harness.scenario import Bid
from harness.simulation import block_ordering


def order(
    key: str = "0",
    *,
    agent: str = "agent",
    action: str = "liquidate",
    gas: int = 100,
    bid: int = 1,
    available: int = 1,
    expires: int = 10,
    sender: int = 1,
) -> Order:
    return Order(
        transaction=Transaction(bytes([sender]) * 20, b"\xaa" * 20, key.encode()),
        action=action,
        agent=agent,
        key=key,
        gas=gas,
        bid=bid,
        observed=0,
        available=available,
        expires=expires,
    )


def choose(orders, *, ordering=None, block=1, gas_limit=10**9, background=0, can_pay=None):
    return select(
        ordering or FeeAuction(),
        orders,
        block=block,
        seed=1,
        gas_limit=gas_limit,
        background_bid=background,
        can_pay=can_pay or (lambda sender, fees: True),
    )


def keys(orders) -> list[str]:
    return [entry.key for entry in orders]


orders_of_any_kind = st.lists(
    st.builds(
        order,
        agent=st.sampled_from(["a", "b", "c"]),
        action=st.sampled_from(["liquidate", "arbitrage", "top_up", "deleverage"]),
        gas=st.integers(1, 300),
        bid=st.integers(0, 20),
        available=st.integers(0, 4),
        expires=st.integers(0, 4),
        sender=st.integers(1, 4),
    ),
    max_size=30,
).map(lambda found: [dataclasses.replace(one, key=str(i)) for i, one in enumerate(found)])
orderings = st.sampled_from([FeeAuction(), RandomOrder(), Adversarial()])


@given(
    orders_of_any_kind, orderings, st.integers(1, 1000), st.integers(0, 15), st.integers(0, 5000)
)
def test_every_order_is_in_exactly_one_place(
    orders, ordering, gas_limit, background, purse
) -> None:
    chosen = choose(
        orders,
        ordering=ordering,
        block=2,
        gas_limit=gas_limit,
        background=background,
        can_pay=lambda sender, fees: fees <= purse,
    )
    together = [*chosen.included, *chosen.waiting, *chosen.expired]
    assert Counter(keys(together)) == Counter(keys(orders))
    assert all(one.expires < 2 for one in chosen.expired)
    assert all(one.expires >= 2 for one in [*chosen.included, *chosen.waiting])
    assert all(one.available <= 2 and one.bid >= background for one in chosen.included)
    assert sum(one.gas for one in chosen.included) <= gas_limit
    fees = Counter()
    for one in chosen.included:
        fees[one.transaction.sender] += one.fee
    assert all(fee <= purse for fee in fees.values())


@given(orders_of_any_kind, orderings, st.integers(1, 1000))
def test_nothing_waits_that_still_fitted(orders, ordering, gas_limit) -> None:
    """What may enter and waits found less room than it needs when its turn came, so it does not
    fit at the end either."""
    chosen = choose(orders, ordering=ordering, block=2, gas_limit=gas_limit)
    free = gas_limit - sum(one.gas for one in chosen.included)
    assert all(one.gas > free for one in chosen.waiting if one.available <= 2)


@given(orders_of_any_kind)
def test_a_higher_bid_is_never_behind(orders) -> None:
    bids = [one.bid for one in choose(orders, block=2).included]
    assert bids == sorted(bids, reverse=True)


def test_a_small_order_passes_a_large_one_that_no_longer_fits() -> None:
    orders = [order("a", gas=60, bid=3), order("b", gas=60, bid=2), order("c", gas=40, bid=1)]
    chosen = choose(orders, gas_limit=100)
    assert (keys(chosen.included), keys(chosen.waiting)) == (["a", "c"], ["b"])


def test_a_purse_is_for_all_orders_of_its_sender_in_the_block() -> None:
    orders = [
        order("a", gas=10, bid=3),
        order("b", gas=10, bid=2),
        order("c", gas=10, bid=1, sender=2),
    ]
    chosen = choose(orders, can_pay=lambda sender, fees: fees <= 30)
    assert (keys(chosen.included), keys(chosen.waiting)) == (["a", "c"], ["b"])


def test_the_last_block_of_an_orders_term_counts() -> None:
    assert keys(choose([order(expires=5)], block=5).included) == ["0"]
    assert keys(choose([order(expires=4)], block=5).expired) == ["0"]
    assert keys(choose([order(available=6)], block=5).waiting) == ["0"]


def test_a_bid_at_the_background_enters() -> None:
    assert keys(choose([order(bid=7)], background=7).included) == ["0"]
    assert keys(choose([order(bid=6)], background=7).waiting) == ["0"]


def test_equal_bids_change_places_from_block_to_block() -> None:
    pair = [order("0", agent="a"), order("0", agent="b")]
    first = [FeeAuction().arrange(pair, 1, block)[0].agent for block in range(64)]
    assert 16 <= first.count("a") <= 48
    assert first == [FeeAuction().arrange(pair[::-1], 1, block)[0].agent for block in range(64)]


def test_random_order_ignores_bids() -> None:
    orders = [order(str(i), bid=i) for i in range(4)]
    first = Counter(RandomOrder().arrange(orders, 1, block)[0].key for block in range(400))
    assert all(60 <= first[str(i)] <= 140 for i in range(4))


def test_the_adversary_arbitrages_first_and_lets_nobody_save_themselves_in_time() -> None:
    orders = [
        order("save", action="top_up", bid=99),
        order("sell", action="deleverage", bid=98),
        order("low", action="liquidate", bid=1),
        order("high", action="liquidate", bid=2),
        order("shares", action="liquidate_shares", bid=0),
        order("arb", action="arbitrage", bid=0),
    ]
    arranged = keys(Adversarial().arrange(orders, 1, 1))
    assert arranged == ["arb", "high", "low", "shares", "save", "sell"]


def test_the_adversary_knows_every_kind_of_arbitrage_and_of_liquidation() -> None:
    ranked = {
        action: 0 if action.startswith("arbitrage") else 1
        for action in DECLARED_GAS
        if action.startswith(("arbitrage", "liquidate"))
    }
    assert len(ranked) >= 6
    assert {**ranked, "seize": 1} == Adversarial.RANK


# --- the mempool -------------------------------------------------------------------------------


def test_a_second_order_for_the_same_matter_only_raises_the_bid() -> None:
    held = order("7", bid=5)
    later = dataclasses.replace(order("7", bid=8), transaction=Transaction(b"", b"", b"other"))
    merged = merge([held], [later])
    assert merged == [held]
    assert (held.bid, held.transaction.data) == (8, b"7")


def test_a_bid_is_never_lowered() -> None:
    held = order("7", bid=5)
    merge([held], [order("7", bid=4)])
    assert held.bid == 5


def test_others_matters_are_others() -> None:
    merged = merge([order("7")], [order("8"), order("7", agent="other")])
    assert [(one.agent, one.key) for one in merged] == [
        ("agent", "7"),
        ("agent", "8"),
        ("other", "7"),
    ]


# --- in a run ------------------------------------------------------------------------------------


@pytest.fixture
def crowded(small):
    """Eight accounts fall at once; blocks hold three liquidations."""

    def make(**space):
        return small.scenario(
            blocks=8,
            prices=((0, 1000.0), (1, 950.0)),
            positions=[(1.0, 790.0 - i) for i in range(8)],
            agents=(small.liquidator(bid=Bid(base_gwei=10)),),
            space={"gas_limit": 3 * DECLARED_GAS["liquidate"] + 1, **space},
            expect="liquidations",
        )

    return make


def test_blocks_fill_by_declared_gas(small, crowded) -> None:
    result = small.run(crowded(), 1)
    assert Counter(row.block for row in result.run.liquidations) == {3: 3, 4: 3, 5: 2}
    assert [block.waiting for block in result.run.blocks] == [0, 0, 0, 5, 2, 0, 0, 0]


def test_what_waits_too_long_expires_and_is_a_row_with_its_reason(small, crowded) -> None:
    result = small.run(crowded(expiry_blocks=1), 1)
    expired = [row for row in result.run.transactions if row.status == "expired"]
    # seen after 2, available from 3, gone after 4; the agent may ask again
    assert {(row.block, row.observed, row.place, row.reason) for row in expired} == {
        (5, 2, -1, "no room in the block")
    }
    assert len(expired) == 2
    assert result.summary["transactions"]["expired"] == 2
    assert result.summary["transactions"]["sent"] == len(
        [row for row in result.run.transactions if row.agent not in ("builder", "publisher")]
    )


def test_an_order_below_the_background_bid_says_so(small, crowded) -> None:
    result = small.run(crowded(background_bid_gwei=((0, 11.0),), expiry_blocks=2), 1)
    rows = [row for row in result.run.transactions if row.action == "liquidate"]
    assert {row.status for row in rows} == {"expired", "pending"}
    assert {row.reason for row in rows} == {"bid below the background bid"}


def test_no_order_disappears(small, crowded) -> None:
    """Every order the liquidator sent is in a row: included, expired or pending at the end."""
    result = small.run(crowded(expiry_blocks=1), 1)
    rows = [row for row in result.run.transactions if row.action == "liquidate"]
    assert Counter(row.status for row in rows) == {"succeeded": 8, "expired": 2}
    assert {row.key for row in rows} == {str(i) for i in range(8)}


@pytest.mark.parametrize("ordering", ["random", "adversarial"])
def test_other_orderings_run(small, crowded, ordering) -> None:
    one, other = (small.run(crowded(ordering=ordering), seed) for seed in (1, 2))
    assert len(one.run.liquidations) == len(other.run.liquidations) == 8
    if ordering == "random":
        assert [row.account for row in one.run.liquidations] != [
            row.account for row in other.run.liquidations
        ]


def test_an_ordering_from_outside_is_named_by_module_and_class() -> None:
    assert isinstance(block_ordering("harness.builder:RandomOrder"), RandomOrder)
    for name in ("no.such.module:Thing", "harness.builder:NoSuchThing"):
        with pytest.raises(ScenarioError) as caught:
            block_ordering(name)
        assert "block_space.ordering" in str(caught.value)
