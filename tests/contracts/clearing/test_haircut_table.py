"""The published table of haircuts, on real contracts.

Chitra et al., "Autodeleveraging: Impossibilities and Optimization" (arXiv 2512.01112): five
accounts with cash (2, 1, .5, 0, 0) and profits (8, 4, .5, -3, -12), a deficit of 15 of which
winners bear half. The profits sum to -2.5: here the vault is the other side and carries the 2.5.
"""

from __future__ import annotations

from typing import Any

import pytest

UNIT = 10**18
TENTH = UNIT // 10
CASH = (20, 10, 5, 0, 0)
PROFIT = (80, 40, 5, -30, -120)
SUBS = (1, 0, 2, 3, 4)
"""Accounts one and two rank alike; the table has two first, as account words do here."""

DUST = 20
"""Wei: a few are left to each account that is closed, and shares of a loss are rounded down."""


@pytest.fixture
def table(make_clearing: Any) -> Any:
    """The five accounts at the table's prices, the losers taken over and reported.

    Entered at $100 and valued at $110: winners are long, losers short, a tenth of their profit.
    Accounts have what it takes to open; when it is not needed any more, it is withdrawn until their
    cash is the table's, by losers while the price is at $90.
    """
    rig = make_clearing()
    rig.price("ETH", 100)
    venue = rig.venue(vault=1_000 * UNIT, vault_floor=10**6 * UNIT)
    venue.market("ETH")
    venue.configure(rig.policy("BankruptcyPrice"))  # until the test says which
    words = [venue.word("trader", sub) for sub in SUBS]

    def withdraw(index: int, amount: int) -> None:
        owner = words[index][:20]
        rig.chain.send(
            owner, venue.exchange, "withdraw", words[index], rig.usd.address, amount, owner
        )

    start = [max(cash, 2 * abs(profit)) for cash, profit in zip(CASH, PROFIT, strict=True)]
    for index, word in enumerate(words):
        venue.deposit(word, start[index] * TENTH)
        venue.trade("trader", "ETH", PROFIT[index] * TENTH // 10, SUBS[index])
    rig.price("ETH", 90)
    for index in (3, 4):
        withdraw(index, (start[index] - CASH[index]) * TENTH)
    rig.price("ETH", 110)
    for index in (0, 1, 2):
        withdraw(index, (start[index] - CASH[index]) * TENTH)
    for index, word in enumerate(words):
        assert venue.cash(word) == CASH[index] * TENTH
        assert abs(venue.profit(word) - PROFIT[index] * TENTH) <= 2
    for index in (3, 4):
        venue.liquidate(words[index], "ETH")
        assert venue.in_default(words[index])
    venue.deposit(venue.word("insurance"), 75 * TENTH)
    return rig, venue, words


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
