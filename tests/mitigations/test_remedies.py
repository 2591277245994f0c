"""Built-in remedies: the rules every remedy keeps, and what each one does on chain."""

from dataclasses import replace
from functools import cache

import pytest

from harness.contracts import Contract
from harness.errors import PluginError, ScenarioError
from harness.mitigations import mitigation, mitigations, remedied
from harness.run import run
from harness.scenario import (
    Guardian,
    IsolatedLending,
    Lending,
    Liquidator,
    PooledLending,
    PositionRow,
    Positions,
    checked,
    load_scenario,
    scenario_names,
)
from harness.testing.isolated_invariants import ISOLATED_INVARIANTS
from harness.testing.mitigation_conformance import MitigationConformance

NAMES = tuple(mitigations())

#: A fall of 30% within 20 minutes, half way through two hours of minute blocks.
FALL = (
    "clock.blocks=120",
    "expect=liquidations",
    "asset.ETH.price={process='constant', shock=[{at_s=2400, factor=0.7, ramp_s=1200}]}",
    "population.borrowers.health={excess_median=0.2, excess_sigma=0.6, min=1.05, max=3}",
)


@pytest.fixture(params=NAMES)
def remedy_name(request):
    return request.param


class TestEveryBuiltInRemedy(MitigationConformance):
    @pytest.fixture(autouse=True)
    def _name(self, remedy_name):
        self.name = remedy_name

    def make(self):
        return mitigation(self.name)


def fall(*more, names=""):
    scenario = load_scenario("calm", [*FALL, *more])
    return remedied(scenario, names) if names else scenario


@pytest.fixture(scope="module")
def fallen():
    """The run of the fall with each remedy, made once."""
    return cache(lambda names="": run(fall(names=names), 7))


def calls(result, action):
    return [row for row in result.run.transactions if row.action == action]


def test_stacking_does_not_depend_on_the_order_of_names():
    assert fall(names="price-breaker+grace") == fall(names="grace+price-breaker")
    guardian = next(a for a in fall(names="grace+price-breaker").agents if isinstance(a, Guardian))
    assert guardian.grace_s == 7200


def test_unknown_and_failing_remedies_are_told_in_one_line(tmp_path, monkeypatch):
    with pytest.raises(ScenarioError, match="one of fresh-oracle"):
        remedied(fall(), "no-such-remedy")
    (tmp_path / "outside_remedy.py").write_text(
        "class Broken:\n"
        "    name, title, stage = 'broken', 'raises', 2\n"
        "    def apply(self, scenario):\n"
        "        raise RuntimeError('on purpose')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match="remedy broken failed: RuntimeError: on purpose"):
        remedied(fall(), "outside_remedy:Broken")


def test_price_breaker_closes_the_market_for_its_hour_and_opens_it_again(fallen):
    result = fallen("price-breaker")
    market = Contract("PooledMarket", result.world.venues["aave"].market.address)
    sent = calls(result, "set_paused")
    decoded = [market.artifact.functions["setPaused"].decode_input(row.data) for row in sent]
    assert [row.status for row in sent] == ["succeeded", "succeeded"]
    assert [paused for paused, _ in decoded] == [True, False]
    closed, opened = (row.block for row in sent)
    # decided on the state an hour apart; both enter the block after
    assert opened - closed == 60
    assert not [row for row in result.run.liquidations if closed < row.block < opened]
    assert [row for row in result.run.liquidations if row.block > opened]
    refused = [r.reason for r in calls(result, "top_up") if closed < r.block < opened]
    assert set(refused) == {"MarketPaused()"}


def test_without_the_breaker_the_same_fall_liquidates_at_once(fallen):
    blocks = [row.block for row in fallen().run.liquidations]
    assert blocks
    assert min(blocks) < 60


def test_grace_keeps_liquidators_out_while_borrowers_act():
    scenario = fall("clock.blocks=150", names="price-breaker+grace")
    result = run(scenario, 7)
    opened = calls(result, "set_paused")[1].block
    after = [row.block for row in result.run.liquidations if row.block > opened]
    assert all(block > opened + 7200 // 60 for block in after)
    top_ups = [row.block for row in calls(result, "top_up") if row.status == "succeeded"]
    assert [block for block in top_ups if opened <= block < opened + 120]


def test_volume_breaker_waits_for_liquidations():
    scenario = fall(names="volume-breaker")
    result = run(scenario, 7)
    closed = calls(result, "set_paused")[0].block
    before = sum(row.repaid_usd for row in result.run.liquidations if row.block < closed)
    guardian = next(agent for agent in scenario.agents if isinstance(agent, Guardian))
    assert before >= guardian.liquidated_usd * 10**18


@pytest.mark.parametrize(
    ("name", "change"), [("yielding-threshold", 200), ("tightening-threshold", -200)]
)
def test_dynamic_threshold_follows_the_fall_and_every_liquidation_obeys_it(name, change, fallen):
    result = fallen(name)
    assert [row.status for row in calls(result, "set_threshold")].count("succeeded") >= 2
    in_force = {row.thresholds_bps[0] for row in result.run.liquidations}
    assert in_force <= {8300 + change * k for k in range(5)}
    assert any(threshold != 8300 for threshold in in_force)
    assert result.summary["checks"]["invariants"]["LIQ-1"]


def test_lowering_the_threshold_in_a_fall_amplifies_and_raising_it_holds_back(fallen):
    repaid = {
        name: fallen(name).summary["liquidations"]["repaid_usd"]
        for name in ("", "yielding-threshold", "tightening-threshold")
    }
    assert repaid["yielding-threshold"] < repaid[""] < repaid["tightening-threshold"]


def test_depth_cap_takes_debts_down_to_what_can_be_sold_within_the_bonus():
    scenario = fall("asset.ETH.external.depth_2pct_usd=100_000", "venue.eth-dai.base_reserve=1000")
    capped = remedied(scenario, "depth-cap")
    # outside: 100,000 / .0101525 x (sqrt(1.05) - 1); pool: 1,000 ETH at 200 USD x the same share
    share = 1.05**0.5 - 1
    expected = (100_000 / (0.98**-0.5 - 1) + 200_000) * share
    assert capped.populations[0].size.total_debt_usd == pytest.approx(expected, abs=0.01)


def stated(scenario, debt_tokens):
    """The scenario with one position of its market's pair beside those that are drawn."""
    (market,) = scenario.venues_of(PooledLending)
    debt = scenario.populations[0].debt
    row = PositionRow((("ETH", 10 * debt_tokens),), ((debt, debt_tokens),))
    whale = Positions("whale", market.name, (row,))
    return checked(replace(scenario, populations=(*scenario.populations, whale)))


def test_debts_that_are_stated_one_by_one_count_for_breaker_and_depth():
    """The breaker's 5% are of all loans; and who cannot be capped has a part of the depth."""
    thin = ("asset.ETH.external.depth_2pct_usd=100_000", "venue.eth-dai.base_reserve=1000")
    scenario = stated(fall(*thin), 1_000_000.0)
    drawn = scenario.populations[0].size.total_debt_usd
    breaker = remedied(scenario, "volume-breaker").agents_of(Guardian)[0]
    assert breaker.liquidated_usd == (drawn + 1_000_000) / 20
    alone = remedied(fall(*thin), "depth-cap").populations[0].size.total_debt_usd
    beside = remedied(scenario, "depth-cap").populations[0].size.total_debt_usd
    assert beside == pytest.approx(alone * drawn / (drawn + 1_000_000), abs=0.01)


def test_bounded_bonus_keeps_liquidation_on_the_healing_side():
    scenario = fall("venue.aave.asset.ETH.liquidation_bonus_bps=2000")
    listed = remedied(scenario, "bounded-bonus").venue("aave").asset("ETH")
    product = listed.liquidation_threshold_bps * (10_000 + listed.liquidation_bonus_bps)
    assert 94_990_000 < product <= 95_000_000


def test_isolated_mode_puts_one_market_of_its_own_in_the_place_of_the_pooled_one():
    scenario = fall(names="price-breaker+isolated-mode")
    (market,) = scenario.venues_of(Lending)
    assert isinstance(market, IsolatedLending)
    assert market.lltv_bps == 8300
    assert not [agent for agent in scenario.agents if isinstance(agent, Guardian)]
    result = run(scenario, 7)
    assert result.run.liquidations
    assert {row.venue for row in result.run.liquidations} == {market.name}
    assert set(result.summary["checks"]["invariants"]) == {*ISOLATED_INVARIANTS, "TOK-1"}
    assert all(result.summary["checks"]["invariants"].values())


@pytest.mark.parametrize("scenario", scenario_names())
def test_every_remedy_leaves_every_built_in_scenario_a_valid_one(scenario):
    """The markets of several venues, of lenders, of traders who borrow, of feeds with sources."""
    loaded = load_scenario(scenario)
    changed = [name for name in NAMES if remedied(loaded, name) != loaded]
    assert "fresh-oracle" in changed or "checked-oracle" in changed


def test_isolated_mode_sends_a_liquidator_of_several_markets_to_all_of_the_new_ones():
    (first, *_) = remedied(load_scenario("correlated-venues"), "isolated-mode").agents_of(
        Liquidator
    )
    assert first.venue == "eth-market-ETH-USDC"
    assert first.further_venues == ("btc-market-BTC-USDC", "sol-market-SOL-USDC")


@pytest.mark.parametrize(
    ("scenario", "remedy"),
    [
        ("common-lender", "isolated-mode"),
        ("margin-call-spiral", "isolated-mode"),
        ("usde-one-venue", "isolated-mode"),
    ],
)
def test_what_others_have_to_find_under_its_name_is_left_as_it_is(scenario, remedy):
    loaded = load_scenario(scenario)
    assert remedied(loaded, remedy) == loaded


def test_an_average_does_not_take_the_place_of_a_feed_of_which_a_market_reads_a_source():
    loaded = load_scenario("usde-one-venue")
    changed = remedied(loaded, "averaged-oracle")
    assert changed.asset("USDE").feed == loaded.asset("USDE").feed
