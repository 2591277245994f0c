"""Incentive factors, and how far a price may jump before a liquidation leaves bad debt.

1 / (1 - 0.3 (1 - LLTV)), and a gap of 1 - LLTV x factor below the price of a health factor of 1.
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.accounts import account

WAD = 10**18
USD = 10**8
MAX = (1 << 256) - 1
START = 2_000 * USD


@pytest.mark.parametrize(
    ("lltv", "factor", "gap_percent"),
    [(860, 1.04384, 10.23), (915, 1.02617, 6.11), (945, 1.01678, 3.91)],
)
def test_incentive_factor_and_measured_gap_to_bad_debt(
    make_isolated: Any, lltv: int, factor: float, gap_percent: float
) -> None:
    rig = make_isolated(lltv=lltv * WAD // 1_000)
    assert round(rig.read("incentiveFactorWad") / WAD, 5) == factor
    rig.supply("supplier", 10_000_000 * WAD)
    rig.add_collateral("alice", 1_000 * WAD)
    rig.borrow("alice", 2_000_000 * WAD * lltv // 1_000)
    assert rig.health("alice") == WAD

    low, high = START // 2, START  # bad debt, none
    alice = account("alice").address
    while high - low > 1:
        middle = (low + high) // 2
        rig.price(middle)
        _, _, bad_debt, _ = rig.read("quoteLiquidation", alice, 0, MAX)
        low, high = (middle, high) if bad_debt else (low, middle)
    assert round(100 * (1 - high / START), 2) == gap_percent

    rig.price(high)
    with rig.chain.anchor():
        event = rig.liquidate("alice")
        assert event["badDebtAssets"] == 0
        assert rig.position("alice").debt == 0
    rig.price(low)
    event = rig.liquidate("alice")
    assert 0 < event["badDebtAssets"] < 10**14
    paid = event["seizedAssets"] * low / USD / event["repaidAssets"]
    assert paid == pytest.approx(rig.read("incentiveFactorWad") / WAD, rel=1e-9)


def test_the_factor_stops_at_115_percent(make_isolated: Any) -> None:
    # 1 / (1 - 0.3 x 0.4348) = 1.15
    for lltv, factor in ((0, 115), (565, 115)):
        rig = make_isolated(lltv=lltv * WAD // 1_000)
        assert rig.read("incentiveFactorWad") == factor * WAD // 100
    assert make_isolated(lltv=566 * WAD // 1_000).read("incentiveFactorWad") < 115 * WAD // 100


def test_a_partial_liquidation_pays_the_factor_and_leaves_the_rest(isolated: Any) -> None:
    isolated.add_collateral("alice", 100 * WAD)
    isolated.borrow("alice", 170_000 * WAD)
    isolated.price(1_900 * USD)
    before = isolated.position("alice")
    event = isolated.liquidate("alice", seized=10 * WAD)
    after = isolated.position("alice")
    assert event["seizedAssets"] == before.collateral - after.collateral == 10 * WAD
    assert event["repaidAssets"] == pytest.approx(19_000 * WAD / 1.0438413361, rel=1e-9)
    assert before.debt - after.debt == pytest.approx(event["repaidAssets"], abs=2)
    event = isolated.liquidate("alice", shares=before.borrow_shares // 10)
    assert event["seizedAssets"] == pytest.approx(17_000 * WAD * 1.0438413361 / 1_900, rel=1e-9)
