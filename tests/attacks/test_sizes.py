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
    left = result.measures["crv_left"]
    assert left == pytest.approx(result.insolvency_usd["market"] / result.prices["CRV"])
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


def test_the_gift_to_euler_takes_what_other_suppliers_had(play: Play) -> None:
    result = play("health-donation")
    # a fifth of the claims left, less what was put in and lost
    assert result.profit_usd == 0.2 * (2_000_000_000 - 515_000_000) - 100_000_000 == 197_000_000
    assert result.insolvency_usd["market"] == 197_000_000
    assert result.tokens == {"USD": 197_000_000 * 10**18}


def test_a_gift_too_large_to_leave_a_discount_worth_it_does_not_pay(play: Play) -> None:
    result = play("health-donation", gift_usd=1_500_000_000.0)
    assert result.profit_usd <= 0


def test_two_liquidations_take_what_the_formula_says(play: Play) -> None:
    result = play("two-step-liquidation")
    debt, collateral, threshold, spread, close = 1_450_000, 1_900_000, 0.75, 0.08, 0.5
    first = (debt - threshold * collateral) / (1 - threshold * (1 + spread))
    repaid = -result.tokens["DAI"] / 10**18
    assert repaid == pytest.approx(first + close * (debt - first), rel=1e-9)
    assert result.profit_usd == pytest.approx(spread * repaid, rel=1e-9)
    once = spread * close * debt
    assert result.profit_usd - once == pytest.approx(spread * (1 - close) * first, rel=1e-6)


def test_dai_at_1_30_liquidates_what_was_reported_of_compound(play: Play) -> None:
    result = play("single-venue-spike")
    liquidated = result.measures["liquidated_usd"]
    assert 85_000_000 <= liquidated <= 103_000_000
    # for each DAI repaid, a borrower pays the price of the spike and the bonus
    price = (1 + sum(result.losses_usd.values()) / liquidated) / 1.08
    assert price == pytest.approx(1.3, rel=1e-3)


def test_xvs_leaves_the_bad_debt_reported_of_venus(play: Play) -> None:
    result = play("supply-cap")
    assert result.measures["peak_price_usd"] == pytest.approx(144, rel=1e-6)
    assert result.measures["last_price_usd"] == pytest.approx(32, rel=1e-3)
    # two million XVS sold at the geometric mean of where it starts and ends, less the bonus
    debt = 4_100 * 40_000 + 9_600 * 3_000
    mean = (debt / 1_600_000 * 32) ** 0.5
    expected = debt - 2_000_000 * mean / 1.1
    insolvency = result.insolvency_usd["market"]
    assert insolvency == pytest.approx(expected, rel=0.02)  # each step is priced at its start
    assert insolvency == pytest.approx(77_000_000, rel=0.05)  # reported


def test_cbeth_at_a_two_thousandth_costs_moonwell_what_was_reported(play: Play) -> None:
    result = play("mispriced-listing")
    assert result.measures["cbeth_seized"] == 1_096
    assert result.insolvency_usd["market"] == pytest.approx(1_780_000, rel=1e-3)
    paid = 1_096 * 1.12 / 1.1
    assert result.profit_usd == pytest.approx(1_096 * 2_200 - paid, rel=1e-6)


def test_usde_at_65_cents_pays_the_liquidator_what_holders_and_lenders_lose(play: Play) -> None:
    result = play("venue-mark")
    lost = sum(result.losses_usd.values()) + result.insolvency_usd["market"]
    assert lost == pytest.approx(50_000_000 * (1 - 0.65 / 1.05), rel=1e-3)
    assert result.profit_usd == pytest.approx(lost, rel=1e-3)  # the pool's fee apart


def test_a_loan_before_the_report_gains_the_fall_the_margin_did_not_cover(play: Play) -> None:
    result = play("oracle-sandwich")
    assert result.profit_usd == 1_000 * (2_000 * 0.93 - 1_840)
    assert result.insolvency_usd["market"] == result.profit_usd
    # a threshold that covers the fall leaves nothing to gain
    assert play("oracle-sandwich", ltv_bps=9_200).profit_usd == 0


def test_a_sandwich_takes_what_the_constant_product_says(play: Play) -> None:
    result = play("liquidation-sandwich")
    x, y, kept = 10_000 * 10**18, 18_500_000 * 10**6, 999_500

    def out(reserve_in: int, reserve_out: int, amount: int) -> int:
        taken = amount * kept
        return taken * reserve_out // (reserve_in * 10**6 + taken)

    front = 400 * 10**18
    first = out(x, y, front)
    x, y = x + front, y - first
    seized = 155_000 * 11 * 10**17 // 1_850
    second = out(x, y, seized)
    x, y = x + seized, y - second
    bought = out(y, x, first)
    # the market rounds the seizure down to a base unit, and so its sale
    assert result.tokens["ETH"] == pytest.approx(bought - front, rel=1e-12)
    assert -result.losses_usd["liquidator"] == pytest.approx(second / 10**6 - 155_000, abs=1e-5)


def test_a_run_costs_lenders_the_debt_that_no_collateral_was_paid_out_for(play: Play) -> None:
    for last in (1_200.0, 1_350.0):
        found = play("bank-run", last_usd=last).insolvency_usd["market"]
        assert found == 700_000 - 500 * last


def test_griefing_costs_the_liquidator_its_fee_for_every_block(play: Play) -> None:
    for blocks in (10, 4):
        assert play("fee-griefing", blocks=blocks).losses_usd["liquidator"] == 45 * blocks


def test_bids_of_nothing_take_what_was_reported_of_maker(play: Play) -> None:
    result = play("zero-bids")
    assert result.measures["eth_taken"] == 62_842
    assert result.profit_usd == pytest.approx(8_320_000, rel=1e-3)
    assert 4_500_000 <= result.insolvency_usd["market"] <= 6_650_000
    assert result.tokens["DAI"] == -16  # a base unit for each vault


def test_a_dutch_auction_sells_to_the_late_keepers_and_leaves_no_debt(play: Play) -> None:
    result = play("zero-bids", remedied=True)
    (sold,) = [step for step in result.steps if step.actor == "keeper"]
    assert sold.reason is None
    assert result.insolvency_usd["market"] == 0
    assert result.measures["eth_taken"] == 0


def test_a_loan_within_a_loan_borrows_twice_what_collateral_allows(play: Play) -> None:
    result = play("callback-reentrancy")
    assert result.profit_usd == pytest.approx(500 * 3_200 * (2 * 0.75 - 1), rel=1e-9)
    assert result.insolvency_usd["market"] == pytest.approx(result.profit_usd, rel=1e-9)


def test_dust_stays_unliquidated_where_the_same_debt_in_one_account_does_not(play: Play) -> None:
    split, whole = play("dust-positions"), play("dust-positions", accounts=1)
    assert split.measures["liquidations"] == 0
    assert whole.measures["liquidations"] > 0
    assert whole.insolvency_usd["market"] == 0
    # debt less collateral, at the LTV of 80% and the price at 60% of what it was
    assert split.insolvency_usd["market"] == pytest.approx(9_600 * (1 - 0.6 / 0.8), rel=1e-3)


def test_mango_loses_what_was_reported_for_four_million_of_spot(play: Play) -> None:
    result = play("mark-manipulation")
    assert result.measures["peak_price_usd"] == pytest.approx(0.91, rel=1e-6)
    assert result.losses_usd["depositors"] == pytest.approx(116_000_000, rel=1e-6)
    # all the exchange had, less what the spot market was moved with and the tokens bought there
    assert result.tokens["USD"] == (116_000_000 - 4_000_000) * 10**18
    bought = result.tokens["MNGO"] / 10**18
    assert bought == pytest.approx(4_000_000 / (0.91 * 0.038) ** 0.5, rel=1e-6)


def test_the_vault_loses_what_was_reported_on_the_whales_position(play: Play) -> None:
    result = play("whale-exit")
    size, entry, high, taken, end = 160_234, 1_884, 1_934, 1_914, 1_870
    left = size * (high * 0.02 - (high - taken))  # equity behind the initial margin, at the fall
    loss = size * (taken - end) - left
    assert result.losses_usd["vault-depositors"] == pytest.approx(loss, rel=1e-5)
    assert loss == pytest.approx(4_000_000, rel=0.05)  # reported
    withdrawn = size * (high - entry) + size * entry * 0.02 - size * high * 0.02
    assert result.profit_usd == pytest.approx(withdrawn - size * entry * 0.02, rel=1e-5)
    assert result.profit_usd == pytest.approx(1_800_000, rel=0.02)  # reported


def test_the_vaults_inherited_short_of_jelly_loses_what_was_reported(play: Play) -> None:
    result = play("inherited-short")
    expected = 398_000_000 * (result.measures["peak_price_usd"] - 0.0095)
    # but for the few percent at which the vault took the short over, and the margin left in it
    assert -result.measures["vault_unrealised_usd"] == pytest.approx(expected, rel=0.05)
    assert -result.measures["vault_unrealised_usd"] == pytest.approx(12_000_000, rel=0.05)
    assert result.losses_usd["vault-depositors"] > 5_000_000
