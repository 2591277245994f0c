"""Liquidation against the formulas of the literature, each number measured on the contracts.

Warmuz, Chaudhary, Pinna, "Toxic Liquidation Spirals" (2022), arXiv 2212.07306, for the ladder and
the fixed point; Qin, Zhou, Gamito, Jovanovic, Gervais, "An Empirical Study of DeFi Liquidations"
(2021) for the two-step liquidation; the loss frontier follows from the definitions.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

WAD = 10**18
PRICE = 10**8
MAX = (1 << 256) - 1


def toxic_rig(
    make_rig: Any, close_factor: int, *, threshold: int = 8_000, bonus: int = 1_000
) -> Any:
    """A market of two assets at $1 with k = threshold (1 + bonus) and only the close factor on."""
    rig = make_rig((close_factor, 0, 0, 0))
    rig.list("COL", PRICE, ltv=threshold, threshold=threshold, bonus=bonus)
    rig.list("USD", PRICE, ltv=threshold, threshold=threshold, bonus=bonus)
    rig.supply("supplier", "USD", 10_000_000 * WAD)
    return rig


def at_health(rig: Any, health_percent: int, threshold: Fraction = Fraction(8, 10)) -> None:
    """Bring the account "borrower" to this health factor: 1,000,000 of debt, then a price fall.

    The price is a whole number of feed units; the collateral amount is chosen so that the health
    factor is exact: claims x price x threshold = health x debt.
    """
    debt = 1_000_000 * WAD
    price = Fraction(1, 2)
    claims = Fraction(health_percent, 100) * debt / (price * threshold)
    assert claims.denominator == 1
    rig.supply("borrower", "COL", int(claims))
    rig.borrow("borrower", "USD", debt)
    rig.price("COL", int(price * PRICE))
    assert rig.health("borrower") == health_percent * WAD // 100


def test_ladder_rises_when_health_is_above_k(make_rig: Any) -> None:
    rig = toxic_rig(make_rig, 5_000)
    at_health(rig, 97)
    rig.liquidate("borrower", "COL", "USD")
    assert abs(rig.health("borrower") - 106 * WAD // 100) <= 10
    with rig.chain.reverts("Healthy"):
        rig.liquidate("borrower", "COL", "USD", WAD)


def test_ladder_falls_when_health_is_below_k(make_rig: Any) -> None:
    rig = toxic_rig(make_rig, 5_000)
    at_health(rig, 87)
    steps = [rig.health("borrower")]
    for _ in range(5):
        rig.liquidate("borrower", "COL", "USD")
        steps.append(rig.health("borrower"))
    for found, percent in zip(steps, (87, 86, 84, 80, 72, 56), strict=True):
        assert abs(found - percent * WAD // 100) <= 100


def test_k_is_a_fixed_point(make_rig: Any) -> None:
    rig = toxic_rig(make_rig, 5_000)
    at_health(rig, 88)
    for _ in range(5):
        rig.liquidate("borrower", "COL", "USD")
        assert abs(rig.health("borrower") - 88 * WAD // 100) <= 100


@pytest.mark.parametrize("health_percent", [60, 84])
def test_bad_debt_does_not_depend_on_the_close_factor(make_rig: Any, health_percent: int) -> None:
    """D - C/(1+b), to within a unit for each liquidation and two more.

    Each rounds its seizure down by less than a unit; the last rounds its repayment up, twice.
    """
    counts = []
    for close_factor in (1_000, 2_500, 5_000, 9_000, 10_000):
        rig = toxic_rig(make_rig, close_factor)
        at_health(rig, health_percent)
        claims, debt = rig.claims_of("borrower", "COL"), rig.debt_of("borrower", "USD")
        expected = Fraction(debt) - Fraction(claims) / 2 / Fraction(11, 10)
        count = 0
        while rig.debt_of("borrower", "USD"):
            event = rig.liquidate("borrower", "COL", "USD")
            count += 1
        (bad,) = event["bad_debt"]
        assert rig.claims_of("borrower", "COL") == 0
        assert rig.books("USD").deficit == bad["assets"]
        assert abs(bad["assets"] - expected) <= count + 2
        rig.assert_books_balance()
        counts.append(count)
    assert counts[0] > counts[1] > counts[2] > counts[-1] == 1


def leveraged(rig: Any, collateral: str, debt: str, leverage: int = 12) -> None:
    """Equity of $1,000 worth of collateral at this leverage."""
    rig.supply("borrower", collateral, leverage * 1_000 * WAD)
    rig.borrow("borrower", debt, (leverage - 1) * 1_000 * WAD)


def first_answer(rig: Any, symbol: str, low: int, high: int, holds: Any) -> int:
    """The lowest feed answer at which `holds()`, which must be false at low and true at high."""
    while high - low > 1:
        middle = (low + high) // 2
        with rig.undone():
            rig.price(symbol, middle)
            found = holds()
        low, high = (low, middle) if found else (middle, high)
    return high


def leaves_bad_debt(rig: Any, collateral: str, debt: str) -> bool:
    """Whether liquidating the account in full at the price of now writes off debt."""
    return bool(rig.liquidate("borrower", collateral, debt)["bad_debt"])


@pytest.fixture
def frontier_rig(make_rig: Any) -> Any:
    """LT 95%, bonus 1%, everything closed at once; both assets at $1, in 8 decimals."""
    rig = make_rig()
    for symbol in ("COL", "USD"):
        rig.list(symbol, PRICE, ltv=9_500, threshold=9_500, bonus=100)
        rig.supply("supplier", symbol, 1_000_000 * WAD)
    return rig


LTV0 = Fraction(11, 12)
HEALTH0 = Fraction(95, 100) / LTV0
FACTOR = Fraction(101, 100)


def test_loss_frontier_of_a_long(frontier_rig: Any) -> None:
    """At 12x liquidation begins at a fall of 1 - 1/HF0, bad debt at 1 - (1+b) LTV0."""
    rig = frontier_rig
    leveraged(rig, "COL", "USD")
    healthy = first_answer(rig, "COL", PRICE // 2, PRICE, lambda: rig.health("borrower") >= WAD)
    # The lowest price that is still healthy is the closed form's, rounded up to the feed's unit.
    assert healthy == -((-PRICE / HEALTH0) // 1)
    assert round(100 * (1 - healthy / PRICE), 2) == 3.51
    covered = first_answer(
        rig, "COL", PRICE // 2, healthy - 1, lambda: not leaves_bad_debt(rig, "COL", "USD")
    )
    assert covered == -((-PRICE * FACTOR * LTV0) // 1)
    assert round(100 * (1 - covered / PRICE), 2) == 7.42


def test_loss_frontier_of_a_short(frontier_rig: Any) -> None:
    """Debt in the volatile asset: the marks are rises of HF0 - 1 and 1/((1+b) LTV0) - 1."""
    rig = frontier_rig
    leveraged(rig, "USD", "COL")
    liquidatable = first_answer(rig, "COL", PRICE, 2 * PRICE, lambda: rig.health("borrower") < WAD)
    # Above the closed form strictly: at a health factor of exactly 1 the account is healthy.
    assert liquidatable == (PRICE * HEALTH0) // 1 + 1
    assert round(100 * (liquidatable / PRICE - 1), 2) == 3.64
    insolvent = first_answer(
        rig, "COL", liquidatable, 2 * PRICE, lambda: leaves_bad_debt(rig, "USD", "COL")
    )
    assert insolvent == (PRICE / (FACTOR * LTV0)) // 1 + 1
    assert round(100 * (insolvent / PRICE - 1), 2) == 8.01


def test_no_step_of_a_gradual_fall_beyond_the_first_makes_bad_debt(frontier_rig: Any) -> None:
    """Between the two marks a liquidator is paid in full and no debt is left over."""
    rig = frontier_rig
    leveraged(rig, "COL", "USD")
    rig.price("COL", PRICE * 95 // 100)
    event = rig.liquidate("borrower", "COL", "USD")
    assert event["bad_debt"] == []
    assert event["repaid"] == 11_000 * WAD
    assert rig.claims_of("borrower", "COL") == 12_000 * WAD - event["seized"]


def test_two_step_liquidation_seizes_more_than_one_step(make_rig: Any) -> None:
    """Qin et al.: first repay strictly less than r1 = (D - LT C)/(1 - LT (1+LS)).

    Then the account stays liquidatable, and the close factor's share of the rest follows.
    """
    rig = make_rig((5_000, 0, 0, 0))
    rig.list("COL", PRICE, ltv=8_000, threshold=8_000, bonus=1_000)
    rig.list("USD", PRICE, ltv=8_000, threshold=8_000, bonus=1_000)
    rig.supply("supplier", "USD", 10_000_000 * WAD)
    at_health(rig, 98)
    debt, claims_usd = rig.debt_of("borrower", "USD"), rig.claims_of("borrower", "COL") // 2
    threshold, factor = Fraction(8, 10), Fraction(11, 10)
    r1 = (debt - threshold * claims_usd) / (1 - threshold * factor)

    # Repaying r1 makes the account healthy, any less does not.
    with rig.undone():
        rig.liquidate("borrower", "COL", "USD", int(r1) + 10)
        assert rig.health("borrower") >= WAD

    first = rig.liquidate("borrower", "COL", "USD", int(r1) - 10**6)
    assert rig.health("borrower") < WAD
    second = rig.liquidate("borrower", "COL", "USD")
    assert abs(second["repaid"] - (debt - r1) / 2) <= 10**6
    one_step = debt // 2
    assert first["repaid"] + second["repaid"] > one_step
    gain = (first["repaid"] + second["repaid"] - one_step) / one_step
    assert gain == pytest.approx(float(r1 / debt), rel=1e-9)
