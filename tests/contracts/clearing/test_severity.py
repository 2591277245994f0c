"""Severity of deleveraging: the share of a deficit that winners are asked for.

The published table of haircuts without an insurance fund, at any severity theta. With deficit D,
winners' profits w and W their sum, a policy pays the budget B = min(theta D, W), and three figures
are at odds (the trilemma of Chitra, "Autodeleveraging", arXiv 2512.01112):

    solvency   what is left to the steps after deleveraging: D - B
    revenue    profits that winners keep: W - B
    fairness   the largest haircut: B / W pro rata, which no other policy is below; in a queue
               min(1, B / w of the first)
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from harness.testing.clearing_invariants import FUNDED_STEPS
from tests.contracts.clearing.haircut_table import DUST, PROFIT, TENTH, build_table

DEFICIT = 150
WEALTH = (80, 40, 5)
FULL = Fraction(sum(WEALTH), DEFICIT)
"""The severity at which winners have lost everything: 5/6."""

SEVERITIES = (0, 1_000, 2_500, 5_000, 7_500, 8_333, 9_000, 10_000)
POLICIES = {
    "queue": ("HyperliquidQueue",),
    "other queue": ("BitmexQueue",),
    "pro rata": ("ProRata", False, 10_000),
}
FIRST = 1
"""Two is before one in line, which rank alike."""


def at(make_clearing: Any, severity_bps: int) -> Any:
    return build_table(make_clearing, house="BudgetedClearingHouse", severity_bps=severity_bps)


def haircuts(rig: Any, words: list[bytes]) -> list[int]:
    """Wei that each winner paid."""
    paid = dict.fromkeys(words, 0)
    for step, payer, amount in rig.payments():
        if step == "deleveraging":
            paid[payer] += amount
    return list(paid.values())[: len(WEALTH)]


@pytest.mark.parametrize("severity_bps", SEVERITIES)
def test_solvency_revenue_and_fairness_are_the_closed_forms(
    make_clearing: Any, severity_bps: int
) -> None:
    rig, venue, words = at(make_clearing, severity_bps)
    theta = Fraction(severity_bps, 10_000)
    budget = min(theta, FULL) * DEFICIT
    largest = {}
    for name, contract in POLICIES.items():
        with rig.chain.anchor():
            rig.receipts.clear()
            venue.configure(rig.policy(*contract))
            before, vault = [venue.equity(word) for word in words], venue.read("vaultEquity")
            venue.settle(words)
            paid = haircuts(rig, words)

            assert abs(sum(paid) - budget * TENTH) <= DUST
            left = vault - venue.read("vaultEquity")
            assert abs(left - (DEFICIT - budget) * TENTH) <= DUST, "solvency"
            assert not set(FUNDED_STEPS) & set(rig.by_step())
            kept = sum(venue.equity(word) for word in words[:3]) - sum(before[:3])
            assert abs(kept + budget * TENTH) <= DUST, "revenue"
            assert venue.deficit() == 0
            assert all(venue.equity(word) == 0 for word in words[3:])
            largest[name] = max(Fraction(p, w * TENTH) for p, w in zip(paid, WEALTH, strict=True))

    share, first = budget / sum(WEALTH), min(Fraction(1), budget / WEALTH[FIRST])
    unit = Fraction(DUST, min(WEALTH) * TENTH)
    assert abs(largest["pro rata"] - share) <= unit, "fairness"
    for queue in ("queue", "other queue"):
        assert abs(largest[queue] - first) <= unit
        assert largest[queue] >= largest["pro rata"] - unit


def test_the_published_columns_need_no_insurance_fund(make_clearing: Any) -> None:
    """At theta = 1/2, with what it leaves charged to the vault's holders."""
    expected = {"queue": (65, 10, 10), "other queue": (65, 10, 10), "pro rata": (52, 26, 7)}
    rig, venue, words = at(make_clearing, 5_000)
    for name, equities in expected.items():
        with rig.chain.anchor():
            venue.configure(rig.policy(*POLICIES[name]))
            venue.settle(words)
            for word, tenths in zip(words, (*equities, 0, 0), strict=True):
                assert abs(venue.equity(word) - tenths * TENTH) <= DUST


@pytest.mark.parametrize("severity_bps", [0, 2_500, 5_000, 10_000])
def test_price_lies_the_share_of_the_way_to_the_bankruptcy_price(
    make_clearing: Any, severity_bps: int
) -> None:
    """The losers went short at $100 and have no cash: that is their bankruptcy price. The discount
    is a share of a position's value, in WAD and rounded down: a wei for each dollar of value."""
    rig, venue, words = at(make_clearing, severity_bps)
    venue.configure(rig.policy("BankruptcyPrice"))
    before = [venue.equity(word) for word in words]
    venue.settle(words)
    mark, bankruptcy = 110, 100
    off = Fraction(severity_bps, 10_000) * (mark - bankruptcy)
    for old, word, profit in zip(before, words, PROFIT, strict=True):
        assert abs(venue.size(word, "ETH")) <= 1  # all but what rounding leaves of its profit
        if profit > 0:
            closed = Fraction(profit, 100)  # tokens
            paid = closed * off * 10 * TENTH
            assert abs(old - venue.equity(word) - paid) <= closed * mark + DUST
    assert venue.deficit() == 0


def test_zero_leaves_winners_their_profits_and_their_positions_to_those_who_must_close(
    make_clearing: Any,
) -> None:
    """The vault is below its floor here: positions are closed at the mark price."""
    rig, venue, words = at(make_clearing, 0)
    for name, contract in (*POLICIES.items(), ("price", ("BankruptcyPrice",))):
        with rig.chain.anchor():
            rig.receipts.clear()
            venue.configure(rig.policy(*contract))
            before = [venue.equity(word) for word in words]
            venue.settle(words)
            assert haircuts(rig, words) == [0, 0, 0], name
            assert sum(e["closedValue"] for e in rig.events("Deleveraged")) > 0
            assert all(
                abs(venue.equity(w) - b) <= 4 for w, b in zip(words[:3], before, strict=False)
            )


def test_loss_paid_by_others_meanwhile_is_not_asked_for_twice(make_clearing: Any) -> None:
    rig, venue, words = at(make_clearing, 5_000)
    venue.configure(rig.policy("ProRata", False, 10_000))
    venue.house("open", 64)
    assert rig.chain.read(rig.house, "withheldOf", venue.exchange.address) > 0
    rig.chain.send(rig.treasury, venue.exchange, "coverDeficit", 100 * TENTH)
    vault = venue.read("vaultEquity")
    while venue.round()["stage"]:
        venue.work(words)
    assert abs(rig.by_step()["deleveraging"] - 50 * TENTH) <= DUST
    assert vault - venue.read("vaultEquity") <= DUST
    assert venue.deficit() == 0
    assert rig.chain.read(rig.house, "withheldOf", venue.exchange.address) == 0


def test_severity_above_one_is_refused(make_clearing: Any, chain: Any) -> None:
    with chain.reverts("InvalidSeverity", 10_001):
        make_clearing(house="BudgetedClearingHouse", severity_bps=10_001)
