"""The published table of haircuts, on real contracts, an insurance fund paying the other half.

Chitra et al., "Autodeleveraging: Impossibilities and Optimization" (arXiv 2512.01112): of a deficit
of 15 winners bear half.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.clearing.haircut_table import DUST, TENTH, UNIT, build_table


@pytest.fixture
def table(make_clearing: Any) -> Any:
    """With half of the deficit in the insurance fund."""
    return build_table(make_clearing, insurance=75)


def test_a_queue_takes_the_whole_profit_of_the_first_and_part_of_the_second(table: Any) -> None:
    rig, venue, _ = table
    venue.configure(rig.policy("HyperliquidQueue"))
    assert_haircuts(table, paid=(35, 40, 0), equities=(65, 10, 10, 0, 0))


def test_the_other_published_rank_gives_the_same_queue(table: Any) -> None:
    rig, venue, _ = table
    venue.configure(rig.policy("BitmexQueue"))
    assert_haircuts(table, paid=(35, 40, 0), equities=(65, 10, 10, 0, 0))


@pytest.mark.parametrize("cap_bps", [6_000, 10_000])
def test_pro_rata_takes_three_fifths_of_every_profit(table: Any, cap_bps: int) -> None:
    rig, venue, _ = table
    venue.configure(rig.policy("ProRata", False, cap_bps))
    assert_haircuts(table, paid=(48, 24, 3), equities=(52, 26, 7, 0, 0))


def assert_haircuts(table: Any, *, paid: tuple[int, ...], equities: tuple[int, ...]) -> None:
    """In tenths of a dollar, to within the rounding."""
    rig, venue, words = table
    vault_before = venue.read("vaultEquity")
    venue.settle(words)

    by_account = dict.fromkeys(words, 0)
    for step, payer, amount in rig.payments():
        if step == "deleveraging":
            by_account[payer] += amount
    for word, tenths in zip(words, (*paid, 0, 0), strict=True):
        assert abs(by_account[word] - tenths * TENTH) <= DUST
    for word, tenths in zip(words, equities, strict=True):
        assert abs(venue.equity(word) - tenths * TENTH) <= DUST
        assert venue.equity(word) >= 0
        assert not venue.in_default(word)

    booked = sum(e["loss"] for e in rig.events("LossTaken"))
    steps = rig.by_step()
    assert abs(booked - 150 * TENTH) <= 4, "the deficit of the table"
    assert steps["insurance"] == 75 * TENTH, "D - B"
    assert sum(steps.values()) == booked + sum(e["residual"] for e in rig.events("ClosedOut"))
    assert abs(steps["deleveraging"] - 75 * TENTH) <= DUST
    assert steps.get("vault", 0) <= DUST
    assert venue.deficit() == 0
    # The vault's 2.5 were in its equity when the price had moved, and stay there.
    assert vault_before in range(1_002 * UNIT + UNIT // 2 - DUST, 1_002 * UNIT + UNIT // 2 + DUST)
    assert abs(venue.read("vaultEquity") - vault_before) <= DUST
