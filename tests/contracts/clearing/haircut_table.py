"""The published table of haircuts as a state of real contracts.

Chitra, "Autodeleveraging: Impossibilities and Optimization" (arXiv 2512.01112): five accounts with
cash (2, 1, .5, 0, 0) and profits (8, 4, .5, -3, -12), and a deficit of 15. The profits sum to -2.5:
here the vault is the other side and carries the 2.5.
"""

from __future__ import annotations

from typing import Any

UNIT = 10**18
TENTH = UNIT // 10
CASH = (20, 10, 5, 0, 0)
PROFIT = (80, 40, 5, -30, -120)
SUBS = (1, 0, 2, 3, 4)
"""Accounts one and two rank alike; the table has two first, as account words do here."""

DUST = 20
"""Wei: a few are left to each account that is closed, and shares of a loss are rounded down."""


def build_table(make_clearing: Any, *, insurance: int = 0, **house: Any) -> Any:
    """The five accounts at the table's prices, the losers taken over and reported; ``insurance`` in
    tenths of a dollar.

    Entered at $100 and valued at $110: winners are long, losers short, a tenth of their profit.
    Accounts have what it takes to open; when it is not needed any more, it is withdrawn until their
    cash is the table's, by losers while the price is at $90.
    """
    rig = make_clearing(**house)
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
    if insurance:
        venue.deposit(venue.word("insurance"), insurance * TENTH)
    return rig, venue, words
