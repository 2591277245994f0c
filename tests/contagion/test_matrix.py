"""The contagion matrix: what each link between venues carried, to the wei."""

from __future__ import annotations

import dataclasses

import pytest

from harness.agents import ArbitrageurAgent, Context
from harness.agents.roster import build_agents
from harness.agents.runners import LiquidityProviderAgent
from harness.cuts import CHANNELS, TWIN, UNCUT, Cuts, Link
from harness.engine import default_engine
from harness.experiments.contagion import Contagion, contagion
from harness.experiments.pool import local_executor
from harness.links import links_of
from harness.metrics.interconnection import Prediction
from harness.report.contagion import CHANNEL_NAMES
from harness.run import Stage, run, set_up
from harness.scenario import (
    Arbitrageur,
    ExternalMarket,
    MedianFeed,
    Pool,
    PoolSpotFeed,
    PushFeed,
    StuckFeed,
    load_scenario,
)

SEED = 11
FALL = (0.97, 0.94, 0.91, 0.88, 0.85, 0.8, 0.75, 0.7, 0.65)
"""Liquidated in the first four blocks, nobody leaves anything unpaid; later, more in each."""
DEPTH_USD = 2e4
"""Outside depth, so thin that what venues sell moves it."""


def ladder(count: int, first: float = 1.01, step: float = 0.02, held: float = 100.0):
    """Accounts of equal collateral, each a step further from liquidation at 1,000 USD."""
    return [(held, round(held * 800 / (first + step * i), 2)) for i in range(count)]


def sharing_a_pool(several, **changes):
    """Two markets whose seized ETH is sold into one pool, whose spot both read."""
    given = {
        "feed": PoolSpotFeed("eth-usdx"),
        "markets": [several.market("left"), several.market("right")],
        "populations": [
            several.positions("left", ladder(6)),
            several.positions("right", ladder(6, 1.05)),
        ],
        "agents": [several.liquidator("one", "left"), several.liquidator("two", "right")],
        **changes,
    }
    return several.scenario(**given)


@pytest.fixture(scope="module")
def shocked():
    """A seller outside every venue starts the fall: the first rung is below 1 from the start."""
    return


def with_shock(several, **changes):
    """As `sharing_a_pool`, but outside prices reach the feeds: a push feed and a shallow market."""
    arbitrageur = Arbitrageur(
        "arbitrageur", "eth-usdx", 1e8, bid=several.FREE, min_profit_usd=1, fee_deposit=1e3
    )
    return sharing_a_pool(
        several,
        feed=None,
        falls=(0.96, 0.92, 0.88, 0.84, 0.80, 0.76),
        external=ExternalMarket(DEPTH_USD, 0, 0),
        agents=[
            several.liquidator("one", "left"),
            several.liquidator("two", "right"),
            arbitrageur,
        ],
        **changes,
    )


def test_entries_and_interaction_add_up_to_run_less_run_without_links(several):
    result = run(with_shock(several), SEED)
    found = contagion(result)
    assert {link.channel for link in found.links} == {"price", "oracle", "block-space"}
    for j in found.venues:
        entries = sum(found.entry(link, j) for link in found.links)
        assert entries + found.interaction()[j] == found.run[j] - found.apart[j]
        assert sum(found.matrix()[i][j] for i in found.venues) == entries
    exact = result.with_contagion(found).summary["exact"]
    for j in found.venues:
        parts = [int(exact[f"contagion.matrix.{i}"][j]) for i in found.venues]
        whole = sum(parts) + int(exact["contagion.interaction"][j])
        assert whole == int(exact["contagion.total"][j])


def test_entries_are_what_a_run_has_more_than_that_without_a_link_on_paper():
    """Two venues at 10 and 20; 1 and 3 apart; 7 and 12 without the sales of one, 9 and 18 without
    those of the other, 10 and 21 without the first one's liquidators' capital."""
    left, right, capital = (
        Link("left", "price"),
        Link("right", "price"),
        Link("left", "liquidator"),
    )
    foretold = {"left": 1.0, "right": 2.0}
    found = Contagion(
        venues=("left", "right"),
        links=(left, right, capital),
        run={"left": 10, "right": 20},
        apart={"left": 1, "right": 3},
        without={
            left: {"left": 7, "right": 12},
            right: {"left": 9, "right": 18},
            capital: {"left": 10, "right": 21},
        },
        idle=frozenset(),
        predicted={"overlap": Prediction("price", dict.fromkeys(("left", "right"), foretold))},
    )
    assert found.matrix() == {"left": {"left": 3, "right": 7}, "right": {"left": 1, "right": 2}}
    assert found.spread() == 7 + 1
    assert found.total() == {"left": 9, "right": 17}
    assert found.interaction() == {"left": 9 - 4, "right": 17 - 9}
    # of the price channel alone, off the diagonal: 8 and 1 against 2 and 1
    assert found.foresight() == {"overlap": pytest.approx(1)}


def test_sales_of_one_venue_make_the_other_insolvent(several):
    found = contagion(run(with_shock(several), SEED))
    assert found.matrix()["left"]["right"] > 0
    assert found.matrix()["right"]["left"] > 0
    assert found.entry(Link("left", "price"), "right") > 0


def test_run_is_played_the_same_from_another_deployment(several):
    scenario = with_shock(several)
    result = run(scenario, SEED)
    engine = default_engine()
    try:
        stage = Stage(scenario, SEED, engine)
        first, second = stage.play(UNCUT), stage.play(UNCUT)
    finally:
        engine.close()
    assert first.digest == second.digest == result.run.digest


def test_counterfactual_runs_are_the_same_in_other_processes(several):
    result = run(with_shock(several), SEED)
    with local_executor(2, 2) as executor:
        spread = contagion(result, executor=executor, workers=2)
    assert spread == contagion(result)


def test_every_channel_has_a_name_in_the_report():
    assert tuple(CHANNEL_NAMES) == CHANNELS


@pytest.mark.parametrize("channel", CHANNELS)
def test_cutting_a_link_that_is_not_there_leaves_the_digest(several, channel):
    """Nothing is sold here: a call is met by nobody and there is no liquidator."""
    scenario = sharing_a_pool(several, agents=[], feed=None, expect="quiet")
    engine = default_engine()
    try:
        stage = Stage(scenario, SEED, engine)
        plain = stage.play(UNCUT)
        cut = Cuts(frozenset({Link("left", channel)}), rounds=plain.rounds)
        assert stage.play(cut).digest == plain.digest
        nowhere = Cuts(frozenset({Link("nowhere", channel)}), rounds=plain.rounds)
        assert stage.play(nowhere).digest == plain.digest
    finally:
        engine.close()


@pytest.mark.parametrize("channel", ["holder", "lender", "liquidator", "block-space"])
def test_cutting_an_idle_channel_in_a_cascade_leaves_the_digest(several, channel):
    """Venues without common holders, lenders or liquidators, and with room in every block."""
    scenario = with_shock(several)
    engine = default_engine()
    try:
        stage = Stage(scenario, SEED, engine)
        plain = stage.play(UNCUT)
        assert plain.liquidations
        cut = Cuts(frozenset({Link("left", channel)}), rounds=plain.rounds)
        assert stage.play(cut).digest == plain.digest
    finally:
        engine.close()


def test_a_cut_oracle_reads_exactly_what_is_pinned(several):
    """Cut from the feeds of its own run, a market sees the same, to the digest; from those of the
    twin it does not."""
    scenario = with_shock(several)
    engine = default_engine()
    try:
        stage = Stage(scenario, SEED, engine)
        plain = stage.play(UNCUT)
        links = frozenset({Link("left", "oracle"), Link("right", "oracle")})
        assert stage.play(Cuts(links, rounds=plain.rounds)).digest == plain.digest
        twin = stage.play(TWIN)
        assert stage.play(Cuts(links, rounds=twin.rounds)).digest != plain.digest
    finally:
        engine.close()


def test_venues_with_nothing_in_common_do_not_infect_each_other(several):
    """Each has its own collateral, pool and liquidator; both have losses of their own."""
    scenario = several.scenario(
        others=("XYZ",),
        falls=(0.9, 0.8, 0.7),
        pools=[
            Pool("eth-usdx", "ETH", "USDX", 3000.0, 0),
            Pool("xyz-usdx", "XYZ", "USDX", 500.0, 0),
        ],
        markets=[several.market("left"), several.market("right", "XYZ")],
        populations=[
            several.positions("left", ladder(6)),
            several.positions("right", ladder(6), "XYZ"),
        ],
        agents=[several.liquidator("one", "left"), several.liquidator("two", "right")],
    )
    found = contagion(run(scenario, SEED))
    matrix = found.matrix()
    assert found.run["left"] > 0
    assert found.run["right"] > 0
    assert matrix["left"]["right"] == matrix["right"]["left"] == 0
    assert matrix["right"]["right"] != 0


def test_liquidators_of_two_venues_carry_losses_by_their_capital(several):
    """One purse of little money serves the left venue first; cut, each has a purse."""
    scenario = several.scenario(
        falls=FALL,
        pools=[Pool("eth-usdx", "ETH", "USDX", 1e6, 0)],
        markets=[several.market("left"), several.market("right")],
        populations=[
            several.positions("left", ladder(4, 1.01, 0.001)),
            several.positions("right", ladder(4, 1.01, 0.001)),
        ],
        agents=[
            several.liquidator("shared", "left", 90_000.0, further_venues=("right",)),
        ],
        blocks=12,
    )
    found = contagion(run(scenario, SEED))
    links = [link for link in found.links if link.channel == "liquidator"]
    assert [link.venue for link in links] == ["left", "right"]
    assert sum(found.entry(link, j) for link in links for j in found.venues) > 0


def test_block_space_that_is_short_carries_losses(several):
    """Blocks hold one liquidation; with blocks of its own, each venue has one a block."""
    scenario = several.scenario(
        falls=FALL,
        pools=[Pool("eth-usdx", "ETH", "USDX", 1e6, 0)],
        markets=[several.market("left"), several.market("right")],
        populations=[
            several.positions("left", ladder(6, 1.01, 0.001)),
            several.positions("right", ladder(6, 1.01, 0.001)),
        ],
        agents=[several.liquidator("one", "left"), several.liquidator("two", "right")],
        space={"gas_limit": 450_000},
        blocks=12,
    )
    result = run(scenario, SEED)
    assert result.run.crowded_blocks > 0
    found = contagion(result)
    assert not any(link.channel == "block-space" for link in found.idle)
    entries = [
        found.entry(Link(venue, "block-space"), j) for venue in found.venues for j in found.venues
    ]
    assert sum(entries) > 0


def test_links_are_those_that_the_scenario_has(several):
    scenario = with_shock(several)
    alone = dataclasses.replace(
        scenario,
        venues=scenario.venues[:2],
        populations=scenario.populations[:1],
        agents=scenario.agents[:1],
    )
    assert links_of(alone, set_up(alone, SEED)[1]) == (Link("left", "price"),)


def test_a_feed_fails_for_the_market_that_reads_it_and_not_for_another(several):
    """One source of ETH's feed is stuck at its minimum; only the right market reads it."""
    push = PushFeed(heartbeat_s=10**9, deviation_bps=0)
    stuck = StuckFeed(of="live", minimum_usd=900.0)
    scenario = several.scenario(
        falls=(0.9, 0.8, 0.7),
        feed=MedianFeed(sources=("live",), within=(("live", push), ("stuck", stuck))),
        pools=[Pool("eth-usdx", "ETH", "USDX", 1e6, 0)],
        markets=[several.market("left"), several.market("right", source="stuck")],
        populations=[
            several.positions("left", ladder(4, 1.05, 0.07)),
            several.positions("right", ladder(4, 1.05, 0.07)),
        ],
        agents=[several.liquidator("one", "left"), several.liquidator("two", "right")],
    )
    result = run(scenario, SEED)
    last = result.run.blocks[-1].venues
    assert last["left"].states[0].price_wad == 700 * 10**18
    assert last["right"].states[0].price_wad == 900 * 10**18
    liquidated = [row.venue for row in result.run.liquidations]
    assert liquidated.count("left") == 4
    assert liquidated.count("right") == 1  # the others are healthy at 900
    assert last["right"].shortfall_market > 0
    assert "ETH" not in result.world.relays["left"]  # nobody else reads that feed


@pytest.mark.parametrize("name", ["zero-bid-auctions", "margin-call-spiral", "crypto-winter"])
def test_who_serves_one_venue_says_which(name):
    """Else its orders would stay in the common block space when that venue's is cut."""
    scenario = load_scenario(name)
    world = set_up(scenario, SEED)[1]
    venues = {*world.venues, *world.exchanges}
    for agent in build_agents(Context(world, scenario, SEED)):
        if not isinstance(agent, ArbitrageurAgent | LiquidityProviderAgent):
            assert getattr(agent, "venue", None) in venues, agent.name
