"""Liquidation designs as remedies: the same people and purses under another rule."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.errors import ScenarioError
from harness.mitigations import Stage, mitigation, remedied
from harness.mitigations.designs import worst_gap
from harness.run import run
from harness.scenario import (
    AbsorbAndSell,
    Buyer,
    Depositor,
    DutchAuctions,
    EnglishAuctions,
    GrowingDiscount,
    InventoryLiquidator,
    Liquidator,
    PooledLending,
    SchedulePrice,
    StabilityDeposits,
    Trigger,
    checked,
    load_scenario,
)

#: A fall of 30% within 20 minutes, half way through two hours of minute blocks.
FALL = (
    "clock.blocks=120",
    "expect=liquidations",
    "asset.ETH.price={process='constant', shock=[{at_s=2400, factor=0.7, ramp_s=1200}]}",
    "population.borrowers.health={excess_median=0.2, excess_sigma=0.6, min=1.05, max=3}",
)

DESIGNS = {
    "growing-discount": GrowingDiscount,
    "dutch-auctions": DutchAuctions,
    "english-auctions": EnglishAuctions,
    "absorption": AbsorbAndSell,
    "reserves-by-rule": AbsorbAndSell,
    "stability-pool": StabilityDeposits,
    "throttle": DutchAuctions,
}


def fall(names: str = ""):
    scenario = load_scenario("calm", [*FALL])
    return remedied(scenario, names) if names else scenario


@pytest.mark.slow
@pytest.mark.parametrize("name", DESIGNS)
def test_the_design_liquidates_with_the_purses_there_were(name) -> None:
    before, after = fall(), fall(name)
    (market,) = after.venues_of(PooledLending)
    assert type(market.liquidation) is DESIGNS[name]
    (liquidator,) = before.agents_of(Liquidator)
    if name == "growing-discount":
        assert after.agents == before.agents
    else:
        assert not after.agents_of(Liquidator)
        assert [t.count for t in after.agents_of(Trigger)] == [liquidator.count]
        if name == "stability-pool":
            (depositor,) = after.agents_of(Depositor)
            assert depositor.deposit == dict(liquidator.capital)["DAI"]
        else:
            assert [b.capital for b in after.agents_of(Buyer)] == [liquidator.capital]
    result = run(after, 7)
    assert result.run.liquidations
    checks = result.summary["checks"]
    assert all(checks["invariants"].values())
    assert not checks["vacuous"]


def test_the_throttle_comes_after_the_design_whatever_the_order() -> None:
    assert mitigation("dutch-auctions").stage is Stage.DESIGN < mitigation("throttle").stage
    stacked = fall("throttle+dutch-auctions")
    assert stacked == fall("dutch-auctions+throttle")
    (market,) = stacked.venues_of(PooledLending)
    (population,) = stacked.populations
    owed = population.size.total_debt_usd
    assert market.liquidation.limit_usd == pytest.approx(owed * 0.05)


@pytest.mark.slow
def test_under_the_throttle_accounts_wait_for_room() -> None:
    free, held = (run(fall(names), 7).run for names in ("dutch-auctions", "throttle"))
    first = {row.account: row.block for row in free.liquidations}
    assert any(row.block > first.get(row.account, 10**9) for row in held.liquidations)


def test_reserves_cover_an_hours_fall_from_the_threshold() -> None:
    """One fall of 30% within a minute, in 60 of 120 pairs of prices an hour apart: with a threshold
    of 83% a dollar of debt loses 1 - .7 / .83 in half of them, and so at 99%."""
    scenario = fall()
    path = SchedulePrice(((0, 1.0), (3600, 0.7)), values="factor")
    assets = tuple(
        replace(asset, price=path) if asset.symbol == "ETH" else asset for asset in scenario.assets
    )
    scenario = checked(replace(scenario, assets=assets))
    (market,) = scenario.venues_of(PooledLending)
    threshold = market.asset("ETH").liquidation_threshold_bps / 10_000
    assert worst_gap(scenario, market, "ETH") == pytest.approx(1 - 0.7 / threshold)
    (after,) = remedied(scenario, "reserves-by-rule").venues_of(PooledLending)
    (population,) = scenario.populations
    price = scenario.asset(population.debt).start_price_usd
    wanted = population.size.total_debt_usd * (1 - 0.7 / threshold) / price
    assert after.liquidation.reserves == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("scenario", ["correlated-venues", "crypto-winter"])
@pytest.mark.parametrize("name", [n for n in DESIGNS if n != "growing-discount"])
def test_a_liquidator_of_several_venues_has_successors_in_each(scenario, name) -> None:
    """None of the venues is left without anybody who liquidates, and nobody has more than before.

    A pool's deposits are in the debt asset alone; what of the capital is in others takes no part.
    """
    before = load_scenario(scenario)
    after = remedied(before, name)
    (several,) = [each for each in before.agents_of(Liquidator) if each.further_venues]
    changed = {
        market.name
        for market in after.venues_of(PooledLending)
        if market.liquidation != before.venue_as(PooledLending, market.name).liquidation
    }
    assert changed & {*several.serves}
    assert {each.venue for each in after.agents_of(Trigger)} == changed
    buyers = [*after.agents_of(Buyer), *after.agents_of(Depositor)]
    assert {each.venue for each in buyers} == changed
    capital = dict(several.capital)
    held = [
        dict(each.capital) if isinstance(each, Buyer) else {"USDC": each.deposit}
        for each in buyers
        if each.name.startswith(several.name)
    ]
    assert len(held) == len(several.serves)
    assert sum(each["USDC"] for each in held) == pytest.approx(capital["USDC"], rel=1e-12)


@pytest.mark.parametrize("name", DESIGNS)
def test_who_kept_what_was_seized_is_an_ordinary_participant_of_another_design(name) -> None:
    """Only where the market itself liquidates does the collateral go to whoever repays."""
    calm = load_scenario("calm")
    (liquidator,) = calm.agents_of(Liquidator)
    keeper = InventoryLiquidator("keeps", liquidator.venue, capital=liquidator.capital)
    after = remedied(checked(replace(calm, agents=(*calm.agents, keeper))), name)
    assert not after.agents_of(InventoryLiquidator)
    kinds = {type(each) for each in after.agents if each.name.startswith("keeps")}
    taking = {Liquidator} if name == "growing-discount" else {Trigger, Buyer}
    assert kinds == ({Trigger, Depositor} if name == "stability-pool" else taking)


@pytest.mark.parametrize("design", [GrowingDiscount(), DutchAuctions()])
def test_nobody_keeps_what_is_seized_where_a_module_liquidates(design) -> None:
    """The market refuses such a liquidation: it would be sent in vain, block after block."""
    calm = load_scenario("calm")
    (market,) = calm.venues_of(PooledLending)
    venues = [replace(each, liquidation=design) if each == market else each for each in calm.venues]
    keeper = InventoryLiquidator("keeps", market.name)
    with pytest.raises(
        ScenarioError, match=r"agent\[0\]\.venue = .*: a venue that liquidates by f"
    ):
        checked(replace(calm, venues=tuple(venues), agents=(keeper,)))
