"""Amounts that no contract would take are refused as what they are: fields of a scenario."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from harness.cli import main
from harness.engine import default_engine
from harness.errors import ScenarioError
from harness.run import Stage, set_up
from harness.scenario import (
    Agent,
    Amounts,
    LiquidationDesign,
    Scenario,
    Venue,
    checked,
    load_scenario,
)

SEED = 1

VAULTS, PERPS, CLEARED = "curated-vaults", "cross-margin-contagion", "adl-october"
TIERS = (
    "[{{initial_bps=500, call_bps=400, maintenance_bps=300, up_to_usd={}}},"
    " {{initial_bps=500, call_bps=400, maintenance_bps=300}}]"
)

REFUSED = [
    (VAULTS, "venue.eth-usdc.base_reserve=1e-15", "venue.eth-usdc.base_reserve"),
    (VAULTS, "venue.xusd-usdc.base_reserve=1e-6", "venue.xusd-usdc.base_reserve"),
    (VAULTS, "asset.XUSD.external.depth_2pct_usd=1e-12", "asset.XUSD.external.depth_2pct_usd"),
    (VAULTS, "venue.share-market.kink=1e-30", "venue[5].kink"),
    (
        "zero-bid-auctions",
        "venue.maker.liquidation.largest_lot=1e-19",
        "venue[1].liquidation.largest_lot",
    ),
    (VAULTS, "agent.watcher.shares=1e-9", "agent[3].shares"),
    (PERPS, "venue.cross.market[0].funding_slope=100", "venue[0].market[0].funding_slope"),
    (PERPS, f"venue.cross.market[0].tier={TIERS.format(1e-9)}", "venue[0].market[0].tier[0]"),
    (CLEARED, "venue.house.contribution=1e-9", "venue[2].contribution"),
    (CLEARED, "venue.house.contribution=0", "venue[2].contribution"),
    (
        CLEARED,
        'venue.house.member_populations=["majors-makers", "majors-makers"]',
        "venue[2].member_populations[1]",
    ),
    ("common-lender", "agent.depositors.supplied=1e-9", "agent[0].supplied"),
    ("common-lender", 'agent.depositors.venues=["long-tail", "long-tail"]', "agent[0].venues[1]"),
    ("bank-run", "agent.btc-funds.supplied=1e-19", "agent[5].supplied"),
]


@pytest.mark.parametrize(("scenario", "override", "field"), REFUSED)
def test_what_no_contract_takes_names_its_field(scenario, override, field) -> None:
    with pytest.raises(ScenarioError) as caught:
        set_up(load_scenario(scenario, [override]), SEED)
    assert caught.value.field.startswith(field)
    assert caught.value.allowed


def test_a_cap_refers_to_a_time_before_every_window_that_set_up_lets_pass() -> None:
    """Averages are filled before markets read them, and again once shares have a pool."""
    average = "avg={kind='pool-twap', pool='eth-usdc', window_s=2000000}"
    capped = "asset.ETH.feed={{kind='capped-growth', of='avg', growth_per_year=0.1, {}}}"
    window = "asset.vUSDC.feed.source.price.window_s=2000000"

    def referring(age_s: int) -> Scenario:
        feed = capped.format(f"reference_age_s={age_s}, source={{{average}}}")
        return load_scenario("shares-below-worth", [feed, window, "clock.blocks=2"])

    least = 86_400 + 2 * (2_000_000 + 6)
    with pytest.raises(ScenarioError, match=rf"asset\[0\]\.feed\.reference_age_s = .* {least}"):
        referring(least - 1)
    engine = default_engine()
    try:
        Stage(referring(least), SEED, engine)
    finally:
        engine.close()


def test_an_asset_is_not_called_as_the_cash_of_outside_markets_is() -> None:
    """One token would be both, with the decimals of the cash."""
    with pytest.raises(ScenarioError, match=r"asset\[0\]\.symbol = 'USD': another symbol"):
        load_scenario("calm", ["asset[0].symbol=USD", "block_space.fee_asset=USD"])


FEED = "asset.ETH.feed={{{}, source={{p={{kind='push'}}}}}}"


@pytest.mark.parametrize(
    ("override", "field"),
    [
        (
            FEED.format("kind='capped-growth', of='p', growth_per_year=0, reference_age_s=9999999"),
            "reference_age_s",
        ),
        ("asset.ETH.feed={kind='pool-twap', pool='eth-dai', window_s=10000000}", "window_s"),
    ],
)
def test_nothing_is_older_than_the_clock(override, field) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_scenario("calm", ["clock.start=1000000", override])
    assert caught.value.field == f"asset[0].feed.{field}"


def test_what_only_the_contracts_can_refuse_is_named_by_the_call_they_refuse(tmp_path, capsys):
    """A feed that starts at a minimum beyond all prices: the market does not lend at its answer."""
    stuck = FEED.format("kind='stuck', of='p', minimum_usd=1e18")
    assert main(["run", "calm", "--set", stuck, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "set-up = 'PooledMarket.borrow': " in told[0]
    assert "AnswerOutOfBounds(" in told[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "override",
    ["venue.eth-usdc.base_reserve=1e-15", "venue.share-market.kink=1e-30"],
)
def test_it_is_a_line_and_an_exit_code_of_2(override, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert main(["run", VAULTS, "--set", override, "--out", str(out)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not out.exists()


def test_a_borrower_of_less_than_a_base_unit_owes_nothing() -> None:
    """As positions of a table: what is cut off is not asked of the market, which refuses zero."""
    sizes = "population.cautious-borrowers.size={total_debt_usd=10, sigma=10}"
    scenario = load_scenario("shared-collateral", [sizes, "clock.blocks=2"])
    paths, world = set_up(scenario, SEED)
    held = world.venues["cautious"].positions
    assert any(not position.borrowed for position in held)
    assert any(position.borrowed for position in held)
    engine = default_engine()
    try:
        Stage(scenario, SEED, engine, (paths, world))
    finally:
        engine.close()


@dataclass(frozen=True)
class Unknown(Venue):
    """A venue that nothing deploys."""

    name: str = "elsewhere"


@dataclass(frozen=True)
class Unpriced(LiquidationDesign):
    """A design without a contract."""


@dataclass(frozen=True)
class Idler(Agent):
    """An agent from outside whose fields have no limits of their own."""

    name: str = "idler"
    count: int = 1
    fee_deposit: float = 0.0
    capital: Amounts = ()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda s: {"venues": (*s.venues, Unknown())}, r"venue\[2\]\.kind"),
        (
            lambda s: {"venues": (s.venues[0], replace(s.venues[1], liquidation=Unpriced()))},
            r"venue\[1\]\.liquidation\.kind",
        ),
        (lambda _: {"agents": (Idler(count=0),)}, r"agent\[0\]\.count"),
        (lambda _: {"agents": (Idler(fee_deposit=-1.0),)}, r"agent\[0\]\.fee_deposit"),
        (lambda _: {"agents": (Idler(capital=(("GOLD", 1.0),)),)}, r"agent\[0\]\.capital\.GOLD"),
        (lambda _: {"agents": (Idler(capital=(("ETH", -1.0),)),)}, r"agent\[0\]\.capital\.ETH"),
    ],
)
def test_parts_from_outside_are_ones_that_set_up_can_give_what_they_ask_for(change, field) -> None:
    """A venue of an unknown kind was left out without a word."""
    calm = load_scenario("calm")
    with pytest.raises(ScenarioError, match=field):
        checked(replace(calm, **change(calm)))
