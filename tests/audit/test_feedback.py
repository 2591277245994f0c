"""The branching ratio that an audit tells, against figures worked out by hand."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from harness.audit.bounds import depth_reserve_usd
from harness.audit.feedback import feedback
from harness.audit.words import feedback as told
from harness.scenario import PositionRow, Positions, Scenario, load_scenario

MARKET = Path(__file__).parent / "market.toml"
MOVE = 0.10 - 0.05 * math.log(0.01)
"""The log fall that one in a hundred of the file's crises exceeds."""


def with_positions(*rows: tuple[float, float]) -> Scenario:
    """The market with accounts of so much ETH that owe so many USDC."""
    table = tuple(PositionRow((("ETH", eth),), (("USDC", usdc),)) for eth, usdc in rows)
    accounts = Positions("accounts", "market", table)
    return dataclasses.replace(load_scenario(MARKET), populations=(accounts,))


def test_accounts_count_whose_liquidation_lies_within_the_crisis() -> None:
    """At 65% of 2,000 USD an ETH carries 1,300: the first account falls due after ln 1.3, the
    second only after ln 3.25, which is beyond the crisis; ln 1.04 of the third counts again."""
    scenario = with_positions((100, 100_000), (50, 20_000), (10, 12_500))
    (found,) = feedback(scenario, 0)
    assert math.log(1.3) < MOVE < math.log(3.25)
    assert (found.market, found.symbol) == ("market", "ETH")
    assert found.density == pytest.approx(110 / MOVE)
    before = depth_reserve_usd(scenario, "ETH", {"ETH": 2_000 * 10**8}) / 2_000
    assert found.reserve == pytest.approx(before * math.exp(MOVE / 2))
    ratio = 2 * 0.65 * 1.05 * (110 / MOVE) / (before * math.exp(MOVE / 2))
    assert found.ratio == pytest.approx(ratio)
    assert f"causes {ratio:,.3g} others" in told(found)


def test_nothing_is_told_where_nobody_falls_due_or_no_price_falls() -> None:
    assert feedback(with_positions((50, 20_000)), 0) == ()
    calm = load_scenario(MARKET, ['audit.stress=[{name="as-is", kind="as-is"}]'])
    assert feedback(calm, 0) == ()
