"""Sizes of attacks against closed forms and the figures reported of the events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Play


def test_the_donation_to_cream_takes_all_there_was_to_lend(play: Play) -> None:
    result = play("share-donation")
    assert result.tokens == {"USDC": 130_000_000 * 10**6}
    assert result.profit_usd == 130_000_000
    assert result.insolvency_usd["market"] == 130_000_000
    assert result.capital_usd == 0


def test_the_first_depositor_gains_a_quarter_of_the_second_deposit(play: Play) -> None:
    for deposit in (20_000.0, 1_000.0):
        result = play("first-depositor", deposit=deposit)
        # one share each of deposit + deposit / 2 + 1 wei: 3/4 of the deposit, for half of it
        assert result.profit_usd == deposit / 4
        assert result.losses_usd["victim"] == deposit / 4


def test_luna_at_the_feeds_minimum_costs_venus_what_was_reported(play: Play) -> None:
    result = play("stuck-feed")
    per_luna = 0.107 * 0.55 - 0.01
    assert result.profit_usd == pytest.approx(230_000_000 * per_luna, rel=1e-9)
    assert result.insolvency_usd["market"] == result.profit_usd
    assert round(result.profit_usd / 10**6, 1) == 11.2


def test_the_short_of_crv_leaves_what_collateral_could_not_buy(play: Play) -> None:
    result = play("short-squeeze")
    buys = [step for step in result.steps if step.actor == "liquidator"]
    left = result.insolvency_usd["market"] / result.prices["CRV"]
    # a pool without a fee: x y stays, and what is spent there is the collateral less the bonus, but
    # for the feed, which is one purchase of 1M late in 500M (0.4%)
    spent, product = 63_600_000 / 1.045, 833_000_000**2 * 0.609
    reserve = (product * 0.61) ** 0.5
    bought = product / reserve - product / (reserve + spent)
    assert 92_000_000 - left == pytest.approx(bought, rel=0.004)
    assert left == pytest.approx(2_640_000, rel=0.05)  # reported
    assert len(buys) > 50


def test_a_loan_that_moves_the_price_less_than_it_costs_is_refused_or_loses(play: Play) -> None:
    assert play("spot-oracle", loan_usdc=100_000.0).profit_usd == 0
