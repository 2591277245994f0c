"""Scenarios: what is read, refused, warned about, overridden and written back."""

import contextlib
import copy
import dataclasses
import random
import tomllib
from importlib import resources
from typing import ClassVar

import pytest

from harness.errors import ScenarioError
from harness.population import build_population
from harness.scenario import (
    Bid,
    Borrowers,
    Clock,
    ExternalMarket,
    Liquidator,
    Outages,
    PooledLending,
    Positions,
    PositionTable,
    PriceProcess,
    PushFeed,
    Scenario,
    SchedulePrice,
    base_units,
    checked,
    dump_scenario,
    load_scenario,
    parse_scenario,
    price_units,
    scenario_names,
    with_price_file,
)
from harness.scenario._decode import write_toml

MARKET = """
schema = 1
name = "small"
[clock]
blocks = 10
seconds_per_block = 12
start = "2020-03-12T00:00:00Z"
[[asset]]
symbol = "ETH"
start_price_usd = 200
price = { process = "constant" }
external = { depth_2pct_usd = 1e6 }
feed = { kind = "push" }
[[asset]]
symbol = "DAI"
start_price_usd = 1
price = { process = "constant" }
external = { depth_2pct_usd = 1e6 }
feed = { kind = "push" }
[[venue]]
kind = "pool"
name = "pool"
base = "ETH"
quote = "DAI"
base_reserve = 100
[[venue]]
kind = "pooled-lending"
name = "aave"
[[venue.asset]]
symbol = "ETH"
ltv_bps = 8000
liquidation_threshold_bps = 8300
liquidation_bonus_bps = 500
[[venue.asset]]
symbol = "DAI"
supplied = 1000
[[population]]
kind = "borrowers"
name = "people"
venue = "aave"
count = 4
collateral = "ETH"
debt = "DAI"
health = { excess_median = 0.5, excess_sigma = 0.5 }
size = { total_debt_usd = 500, sigma = 1 }
[[agent]]
kind = "liquidator"
name = "keeper"
venue = "aave"
capital = { DAI = 100 }
[[agent]]
kind = "arbitrageur"
name = "arb"
pool = "pool"
capital_usd = 100
"""


def refused(*overrides: str, text: str = MARKET) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, overrides)
    assert "\n" not in str(caught.value)
    return caught.value


class TestBuiltIn:
    def test_both_are_there_and_sound(self):
        assert {"black-thursday", "calm"} <= set(scenario_names())
        for name in scenario_names():
            assert load_scenario(name).name == name
            assert load_scenario(name).warnings == ()

    @pytest.mark.parametrize("name", scenario_names())
    def test_written_and_read_again_is_equal(self, name):
        scenario = load_scenario(name)
        assert parse_scenario(dump_scenario(scenario)) == scenario
        assert dump_scenario(parse_scenario(dump_scenario(scenario))) == dump_scenario(scenario)

    @pytest.mark.parametrize("name", scenario_names())
    def test_states_its_sources_assumptions_and_limitations(self, name):
        scenario = load_scenario(name)
        assert scenario.title
        assert scenario.sources
        assert scenario.assumptions
        assert scenario.limitations

    def test_black_thursday_is_what_the_issue_asks_for(self):
        scenario = load_scenario("black-thursday")
        assert scenario.clock.blocks <= 600
        assert scenario.expect == "liquidations"
        assert sum(p.count for p in scenario.populations if isinstance(p, Borrowers)) == 500
        keepers = scenario.agents_of(Liquidator)
        for attribute in ("capital", "latency_blocks", "bid", "min_profit_usd", "outages"):
            assert len({getattr(keeper, attribute) for keeper in keepers}) > 1, attribute
        market = scenario.venue_as(PooledLending, "aave")
        listed = market.asset("ETH")
        assert (listed.liquidation_threshold_bps, listed.liquidation_bonus_bps) == (8300, 500)
        assert listed.protocol_share_bps == 1000

    def test_calm_expects_quiet(self):
        assert load_scenario("calm").expect == "quiet"

    def test_an_unknown_name_lists_the_known_ones(self):
        with pytest.raises(ScenarioError, match="black-thursday, calm"):
            load_scenario("red-monday")

    def test_a_missing_file_is_bad_input(self, tmp_path):
        with pytest.raises(ScenarioError, match="No such file"):
            load_scenario(tmp_path / "none.toml")


class TestRefusals:
    @pytest.mark.parametrize(
        ("override", "field"),
        [
            ("clock.blocks=0", "clock.blocks"),
            ("clock.blocks=-5", "clock.blocks"),
            ("clock.blocks=1.5", "clock.blocks"),
            ('clock.blocks="many"', "clock.blocks"),
            ("clock.blocks=true", "clock.blocks"),
            ("clock.blocks=[1]", "clock.blocks"),
            ("clock.start=yesterday", "clock.start"),
            ("clock.start=2020-03-12T00:00:00.5", "clock.start"),
            ("clock.speed=2", "clock.speed"),
            ("clock=5", "clock"),
            ("asset.ETH.start_price_usd=nan", "asset[0].start_price_usd"),
            ("asset.ETH.start_price_usd=inf", "asset[0].start_price_usd"),
            ("asset.ETH.start_price_usd=0", "asset[0].start_price_usd"),
            ("asset.ETH.start_price_usd=-1", "asset[0].start_price_usd"),
            ("asset.ETH.price.process=random-walk", "asset[0].price.process"),
            ("asset.ETH.price.process=3", "asset[0].price.process"),
            ("asset.ETH.symbol=DAI", "asset[1].symbol"),
            ("asset.ETH.feed.max_answer_usd=0.5", "asset[0].feed"),
            ("asset.ETH.feed.min_answer_usd=200", "asset[0].feed"),
            ("venue.aave.asset.ETH.ltv_bps=8301", "venue[1].asset[0].ltv_bps"),
            ("venue[1].asset[1].ltv_bps=1", "venue[1].asset[1].ltv_bps"),
            ("venue.aave.asset.ETH.liquidation_threshold_bps=10001", None),
            ("venue.aave.close_factor_bps=0", "venue[1].close_factor_bps"),
            ("venue.aave.kind=pond", "venue[1].kind"),
            ("venue.aave.name=pool", "venue[1].name"),
            ("venue.pool.fee_pips=1000000", "venue[0].fee_pips"),
            ("venue.pool.quote=ETH", "venue[0].quote"),
            ("venue.pool.quote=USDC", "venue[0].quote"),
            ("population.people.venue=pool", "population[0].venue"),
            ("population.people.debt=ETH", "population[0].debt"),
            ("population.people.collateral=DAI", "population[0].debt"),
            ("population.people.health.min=0.99", "population[0].health.min"),
            ("population.people.health.max=1.02", "population[0].health.max"),
            ("population.people.size.total_debt_usd=1001", "population[0].size.total_debt_usd"),
            ("population.people.size.min_debt_usd=126", "population[0].size.min_debt_usd"),
            ("population.people.response.deleverage_bps=10001", None),
            ("population.people.response.latency_blocks=[3,2]", None),
            ("agent.keeper.capital.USDC=5", "agent[0].capital.USDC"),
            ("agent.keeper.capital.DAI=-5", "agent[0].capital.DAI"),
            ("agent.keeper.venue=pool", "agent[0].venue"),
            ("agent.keeper.outages.windows=[[5,5]]", "agent[0].outages.windows[0][1]"),
            ("agent.keeper.latency_blocks=-1", "agent[0].latency_blocks"),
            ("agent.arb.pool=aave", "agent[1].pool"),
            ("block_space.fee_asset=BTC", "block_space.fee_asset"),
            ("block_space.ordering=alphabetical", "block_space.ordering"),
            ("block_space.background_bid_gwei=[[5,1],[5,2]]", None),
            ("block_space.background_bid_gwei=[[5]]", "block_space.background_bid_gwei[0]"),
            ("expect=riot", "expect"),
            ("schema=2", "schema"),
            ("schema=true", "schema"),
            ("name=a b", "name"),
        ],
    )
    def test_names_the_field(self, override, field):
        error = refused(override)
        path = override.partition("=")[0]
        if field is None:
            assert path.split(".")[-1] in error.field
        else:
            assert error.field == field

    def test_says_what_is_allowed(self):
        assert refused("clock.blocks=0").allowed == "an integer >= 1 and <= 1000000"
        assert "random, adversarial" in refused("block_space.ordering=x").allowed
        assert refused("venue.aave.asset.ETH.ltv_bps=9000").allowed == (
            "at most liquidation_threshold_bps 8300"
        )
        assert "seconds_per_block" in refused("clock.speed=2").allowed

    def test_a_missing_field_is_required(self):
        error = refused(text=MARKET.replace("blocks = 10\n", ""))
        assert (error.field, error.value) == ("clock.blocks", None)
        assert "required" in error.allowed
        assert refused(text=MARKET.replace('kind = "pool"\n', "")).field == "venue[0].kind"
        listing = MARKET[MARKET.index("[[venue.asset]]") : MARKET.index("[[population]]")]
        error = refused(text=MARKET.replace(listing, ""))
        assert (error.field, error.allowed) == ("venue[1].asset", "required: an array of a table")

    def test_a_lending_asset_needs_a_feed_and_an_arbitraged_one_a_market(self):
        feed, market = 'feed = { kind = "push" }\n', "external = { depth_2pct_usd = 1e6 }\n"
        assert refused(text=MARKET.replace(feed, "", 1)).field == "venue[1].asset[0].symbol"
        assert refused(text=MARKET.replace(market, "", 1)).field == "agent[1].pool"

    def test_text_that_is_not_toml_or_not_utf8(self):
        assert "valid TOML" in refused(text="schema = ").allowed
        with pytest.raises(ScenarioError, match="UTF-8"):
            parse_scenario(b"name = \xff")

    def test_values_too_long_for_a_line_are_cut_short(self):
        for value in ("0x" + "f" * 9000, "[" + "1, " * 500 + "1]", '"' + "x" * 5000 + '"'):
            assert len(str(refused(f"clock.blocks={value}"))) < 200

    def test_a_path_no_system_has(self):
        with pytest.raises(ScenarioError, match="readable file"):
            load_scenario("a\0b.toml")

    def test_correlations(self):
        pair = MARKET.replace(
            'price = { process = "constant" }', 'price = { process = "jump-diffusion", sigma = 1 }'
        )
        head = '[[correlation]]\nassets = ["ETH", "DAI"]\n'
        assert parse_scenario(pair + head + "matrix = [[1, 0.5], [0.5, 1]]")
        assert parse_scenario(pair + head + "loadings = [0.9, -0.5]")
        for bad in (
            "matrix = [[1, 0.5], [0.4, 1]]",
            "matrix = [[1, 0.5]]",
            "matrix = [[0.9, 0.5], [0.5, 1]]",
            "loadings = [0.9]",
            "",
            "matrix = [[1, 0], [0, 1]]\nloadings = [1, 1]",
        ):
            assert refused(text=pair + head + bad).field.startswith("correlation[0]")
        assert refused(text=MARKET + head + "loadings = [1, 1]").field == "correlation[0].assets[0]"

    def test_a_matrix_that_no_variables_can_have(self):
        three = MARKET.replace(
            'price = { process = "constant" }', 'price = { process = "jump-diffusion", sigma = 1 }'
        )
        three += (
            '[[asset]]\nsymbol = "BTC"\nstart_price_usd = 1\n'
            'price = { process = "jump-diffusion", sigma = 1 }\n'
            '[[correlation]]\nassets = ["ETH", "DAI", "BTC"]\n'
            "matrix = [[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]]"
        )
        assert "positive semi-definite" in str(refused(text=three))


class TestToxicBound:
    def test_is_a_warning_that_names_it(self):
        overrides = ["venue.aave.asset.ETH.liquidation_threshold_bps=9524"]
        overrides += ["population.people.health.min=1.2"]
        (warning,) = parse_scenario(MARKET, overrides).warnings
        assert "venue[1].asset[0].liquidation_bonus_bps" in warning
        assert "0.9524" in warning
        assert "toxic" in warning

    def test_is_exact_at_the_bound(self):
        # threshold 0.8 x 1.25 = 1 exactly
        at = ["asset[0].liquidation_threshold_bps=8000", "asset[0].liquidation_bonus_bps=2500"]
        at = [f"venue[1].{item}" for item in at]
        assert len(parse_scenario(MARKET, at).warnings) == 1
        assert "toxic" in parse_scenario(MARKET, at).warnings[0]
        at[1] = at[1].replace("2500", "2499")
        assert parse_scenario(MARKET, at).warnings == ()


class TestHealthThatCannotBeOpened:
    def test_is_a_warning(self):
        (warning,) = parse_scenario(MARKET, ["population.people.health.scale=0.9"]).warnings
        assert "population[0].health.min" in warning
        assert "health factor of 1" in warning


class TestOverrides:
    def test_come_before_the_file_which_comes_before_defaults(self):
        market = parse_scenario(MARKET).venue_as(PooledLending, "aave")
        assert market.close_factor_bps == 5000
        changed = parse_scenario(MARKET, ["venue.aave.close_factor_bps=10000"])
        assert changed.venue_as(PooledLending, "aave").close_factor_bps == 10_000

    def test_reach_elements_by_name_symbol_or_index(self):
        for path in ("venue.aave.asset.DAI", "venue[1].asset[1]", "venue.aave.asset[1]"):
            changed = parse_scenario(MARKET, [f"{path}.supplied=2000"])
            assert changed.venue_as(PooledLending, "aave").asset("DAI").supplied == 2000

    def test_create_tables_that_the_file_leaves_out(self):
        changed = parse_scenario(MARKET, ["agent.keeper.bid.base_gwei=7.5"])
        assert changed.agents_of(Liquidator)[0].bid == Bid(base_gwei=7.5)

    def test_take_toml_values_and_plain_text(self):
        changed = parse_scenario(
            MARKET,
            [
                "asset.ETH.external.depth_2pct_usd=1e5",
                "asset.DAI.price={process='schedule', points=[[0, 1.0], [24, 0.9]]}",
                "clock.start=2020-03-13",
                "title=x y",
            ],
        )
        external = changed.asset("ETH").external
        assert external is not None
        assert external.depth_2pct_usd == 100_000
        assert isinstance(changed.asset("DAI").price, SchedulePrice)
        assert changed.clock.start == 1584057600
        assert changed.title == "x y"

    def test_the_last_one_wins(self):
        assert parse_scenario(MARKET, ["clock.blocks=5", "clock.blocks=6"]).clock.blocks == 6

    @pytest.mark.parametrize(
        "override",
        [
            "",
            "clock",
            "=5",
            "clock..blocks=1",
            "venue.none.name=1",
            "venue[9].name=1",
            "clock.blocks.deep=1",
            "clock[0]=1",
            "venue.aave.asset.WBTC.ltv_bps=1",
        ],
    )
    def test_that_lead_nowhere_are_refused(self, override):
        assert refused(override).field == "--set"

    def test_unknown_elements_list_the_known_ones(self):
        assert "pool, aave" in refused("venue.comp.name=x").allowed


class TestMeaning:
    def test_amounts_become_integers_exactly(self):
        assert base_units(0.1, 18) == 10**17
        assert base_units(1.000001, 6) == 1_000_001
        assert base_units(1e-7, 6) == 0
        assert base_units(86.9e6, 18) == 86_900_000 * 10**18
        assert price_units(194.6) == 19_460_000_000
        assert price_units(1.126447) == 112_644_700

    def test_clock_counts_from_block_0(self):
        clock = Clock(blocks=3, seconds_per_block=12, start=1000)
        assert [clock.time(block) for block in range(3)] == [1000, 1012, 1024]

    def test_background_bid_is_the_last_step(self):
        space = parse_scenario(
            MARKET, ["block_space.background_bid_gwei=[[0,5],[60,12.5]]"]
        ).block_space
        assert [space.background_bid_wei(t) for t in (0, 59, 60, 10**6)] == [
            5 * 10**9,
            5 * 10**9,
            12_500_000_000,
            12_500_000_000,
        ]
        assert parse_scenario(MARKET).block_space.background_bid_wei(0) == 0

    def test_bids_follow_escalate_and_stop_at_their_maximum(self):
        fixed = Bid(base_gwei=20, max_gwei=20)
        assert fixed.wei(300 * 10**9, 9) == 20 * 10**9
        bid = Bid(base_gwei=10, follow_bps=11_000, escalation_bps=1000, max_gwei=250)
        assert bid.wei(5 * 10**9, 0) == 10 * 10**9
        assert bid.wei(100 * 10**9, 0) == 110 * 10**9
        assert bid.wei(100 * 10**9, 3) == 143 * 10**9
        assert bid.wei(100 * 10**9, 50) == 250 * 10**9

    def test_outages_cover_their_start_and_not_their_end(self):
        outages = Outages(windows=((10, 20),))
        assert [outages.scheduled(t) for t in (9, 10, 19, 20)] == [False, True, True, False]

    def test_feed_latency_steps(self):
        feed = PushFeed(latency_blocks=1, latency_steps=((100, 4), (200, 0)))
        assert [feed.latency(t) for t in (0, 99, 100, 199, 200)] == [1, 1, 4, 4, 0]

    def test_depth_is_what_moves_the_price_by_2_percent(self):
        market = ExternalMarket(depth_2pct_usd=1_000_000)
        price = price_units(200.0)
        reserve = market.depth_base(price, 18)
        sold = 5000 * 10**18  # a million USD at 200
        ratio = (reserve / (reserve + sold)) ** 2
        assert ratio == pytest.approx(0.98, rel=1e-12)


class TestExtension:
    def test_an_outside_process_is_named_by_module_and_class(self):
        override = f"asset.ETH.price={{process='{__name__}:Flat', level=3}}"
        price = parse_scenario(MARKET, [override]).asset("ETH").price
        assert price == Flat(level=3.0)

    def test_and_is_written_back(self):
        scenario = parse_scenario(MARKET)
        eth = dataclasses.replace(scenario.assets[0], price=Flat(level=3.0))
        changed = checked(dataclasses.replace(scenario, assets=(eth, scenario.assets[1])))
        assert f'process = "{__name__}:Flat"' in dump_scenario(changed)
        assert parse_scenario(dump_scenario(changed)) == changed

    @pytest.mark.parametrize(
        "name", ["nowhere:Class", "harness.scenario:Nothing", "harness.scenario:Clock", ":", "a:"]
    )
    def test_what_cannot_be_imported_or_is_no_process_is_refused(self, name):
        assert refused(f"asset.ETH.price.process='{name}'").field == "asset[0].price.process"


def test_a_kind_that_is_taken_cannot_be_defined_again():
    with pytest.raises(TypeError, match="process 'constant' is ConstantPrice already"):
        type("Other", (PriceProcess,), {"kind_name": "constant"})


@dataclasses.dataclass(frozen=True, slots=True)
class Flat(PriceProcess):
    kind_name: ClassVar[str] = ""
    level: float


class TestFilesNamedInAScenario:
    def test_prices_and_positions_are_inlined(self, tmp_path):
        (tmp_path / "p.csv").write_text(
            "timestamp,price\n2020-03-11,100\n2020-03-13,90\n", encoding="utf-8"
        )
        (tmp_path / "u.csv").write_text(
            "account,collateral_asset,collateral_amount,debt_asset,debt_amount\n"
            "0xa,ETH,2,DAI,100\n0xb,ETH,1,,\n0xa,DAI,5,,\n",
            encoding="utf-8",
        )
        text = MARKET.replace(
            'price = { process = "constant" }', 'price = { process = "replay", file = "p.csv" }', 1
        )
        start = text.index("[[population]]")
        people = '[[population]]\nkind = "positions"\nname = "p"\nvenue = "aave"\nfile = "u.csv"\n'
        text = text[:start] + people + text[text.index("[[agent]]") :]
        (tmp_path / "s.toml").write_text(text, encoding="utf-8")
        scenario = load_scenario(tmp_path / "s.toml")
        (table,) = scenario.populations
        assert isinstance(table, Positions)
        assert [row.account for row in table.positions] == ["0xa", "0xb"]
        assert table.positions[0].supplied == (("DAI", 5.0), ("ETH", 2.0))
        assert table.positions[0].borrowed == (("DAI", 100.0),)
        assert parse_scenario(dump_scenario(scenario)) == scenario

    @pytest.mark.parametrize(
        ("row", "where"),
        [
            ("a,ETH,x,DAI,1", ":2: collateral_amount"),
            ("a,ETH,-1,DAI,1", ":2: collateral_amount"),
            ("a,ETH,1,DAI,nan", ":2: debt_amount"),
            ("a,,1,DAI,1", ":2: collateral_asset"),
            (",ETH,1,DAI,1", ":2: account"),
            ("a,ETH,1", ":2"),
        ],
    )
    def test_bad_positions_name_their_line(self, tmp_path, row, where):
        from harness.scenario.positions import read_positions

        file = tmp_path / "u.csv"
        header = "account,collateral_asset,collateral_amount,debt_asset,debt_amount"
        file.write_text(f"{header}\n{row}\n", encoding="utf-8")
        with pytest.raises(ScenarioError) as caught:
            read_positions([PositionTable(str(file))])
        assert caught.value.field == f"{file}{where}"


class TestPriceFile:
    def write(self, folder, rows):
        file = folder / "prices.csv"
        file.write_text("timestamp,price\n" + "\n".join(rows) + "\n", encoding="utf-8")
        return str(file)

    def test_replaces_the_replayed_path(self, tmp_path):
        start = load_scenario("black-thursday").clock.start
        rows = [f"{start + i * 300},{200 - i / 10}" for i in range(576)]
        changed = with_price_file(load_scenario("black-thursday"), self.write(tmp_path, rows))
        assert changed.clock == load_scenario("black-thursday").clock
        assert changed.asset("ETH").price.points[1] == (start + 300, 199.9)
        assert changed.warnings == ()

    def test_that_ends_earlier_ends_the_run_and_says_so(self, tmp_path):
        start = load_scenario("black-thursday").clock.start
        rows = [f"{start + i * 300},{200 - i / 10}" for i in range(100)]
        changed = with_price_file(load_scenario("black-thursday"), self.write(tmp_path, rows))
        assert changed.clock.blocks == 100
        assert "100 of 576 blocks" in changed.warnings[0]

    def test_that_starts_late_or_elsewhere_is_refused(self, tmp_path):
        scenario = load_scenario("black-thursday")
        late = [f"{scenario.clock.start + 600 + i * 300},200" for i in range(600)]
        with pytest.raises(ScenarioError, match=r"cover clock\.start"):
            with_price_file(scenario, self.write(tmp_path, late))
        elsewhere = [f"{scenario.clock.start - 10**6 + i * 300},200" for i in range(600)]
        with pytest.raises(ScenarioError, match="overlap"):
            with_price_file(scenario, self.write(tmp_path, elsewhere))

    def test_with_a_declared_gap_names_the_line(self, tmp_path):
        scenario = load_scenario("black-thursday")
        start = scenario.clock.start
        rows = [f"{start},200", f"{start + 300},200", f"{start + 7200},200"]
        with pytest.raises(ScenarioError, match=r"prices\.csv:4.*gap"):
            with_price_file(scenario, self.write(tmp_path, rows))

    def test_needs_a_symbol_where_nothing_is_replayed(self, tmp_path):
        scenario = load_scenario("calm")
        start = scenario.clock.start
        file = self.write(tmp_path, [f"{start},200", f"{start + 10**6},150"])
        with pytest.raises(ScenarioError, match="SYMBOL="):
            with_price_file(scenario, file)
        assert with_price_file(scenario, f"ETH={file}").asset("ETH").price.points[0][1] == 200


def test_the_writer_keeps_every_value():
    table = {
        "text": 'quote " backslash \\ newline \n tab \t bell \x07 é 漢',
        "numbers": [0, -1, 10**18, 0.1, 1e-300, 1.7976931348623157e308],
        "flag": True,
        "empty": [],
        "a table": {"b.c": {"d": [[1, 2.5], ["x", False]]}},
        "rows": [{"x": 1, "deep": [{"y": 2}, {"y": 3}]}, {"x": 4}],
    }
    assert tomllib.loads(write_toml(table)) == table


def test_mutated_scenarios_are_accepted_or_refused_but_never_crash():
    """A thousand files with one to three values changed for something else."""
    seed = 20_200_312
    print(f"seed {seed}")
    dice = random.Random(seed)
    sources = [
        tomllib.loads((resources.files("harness") / f"scenarios/{name}.toml").read_text("utf-8"))
        for name in ("black-thursday", "calm")
    ]
    sources[0]["asset"][0]["price"]["points"] = sources[0]["asset"][0]["price"]["points"][:3]
    sources[0]["clock"]["blocks"] = 12
    values = [0, -1, 1, 5, 1.5, -0.5, 10**30, 1e300, "", "x", "ETH", True, [], [1], [[1, 2]], {}]
    values += [{"kind": "pool"}, float("nan"), float("inf"), None, "2020-03-12", "a:b"]
    accepted, refusals = 0, []
    for _ in range(1000):
        table = copy.deepcopy(dice.choice(sources))
        for _ in range(dice.randint(1, 3)):
            mutate(table, dice, values)
        try:
            scenario = parse_scenario(write_toml(table))
        except ScenarioError as error:
            refusals.append(error)
        else:
            accepted += 1
            assert isinstance(scenario, Scenario)
            assert parse_scenario(dump_scenario(scenario)) == scenario
            with contextlib.suppress(ScenarioError):
                build_population(scenario, seed)
    assert accepted > 20
    assert len(refusals) > 200
    assert all(error.allowed and "\n" not in str(error) for error in refusals)


def mutate(node, dice, values):
    """Replace, remove or add one value somewhere in nested tables and arrays."""
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = dice.choice(keys)
        child = node[key]
        if isinstance(child, dict | list) and child and dice.random() < 0.8:
            node = child
            continue
        value = copy.deepcopy(dice.choice(values))
        if value is None:
            del node[key]
        elif isinstance(node, dict) and dice.random() < 0.1:
            node[f"{key}x"] = value
        elif not isinstance(node, list) or not isinstance(node[0], dict) or isinstance(value, dict):
            node[key] = value
        return
