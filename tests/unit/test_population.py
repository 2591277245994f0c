"""Populations: the distributions asked for, in integers, from the seed alone."""

import dataclasses
import itertools

import numpy as np
import pytest

from harness.errors import ScenarioError
from harness.population import Position, build_population
from harness.scenario import (
    Borrowers,
    PooledLending,
    Population,
    Scenario,
    checked,
    load_scenario,
)
from harness.scenario.populations import PositionRow, Positions, Response

SEEDS = range(6)


def scenario(*overrides: str) -> Scenario:
    """calm, with as many borrowers as a test needs."""
    return load_scenario("calm", overrides)


def health(position: Position, world: Scenario, prices: dict[str, int]) -> float:
    """Health factor at the given prices, recomputed from the position's own integers."""
    market = world.venue_as(PooledLending, position.venue)
    reach = sum(
        units * prices[symbol] * market.asset(symbol).liquidation_threshold_bps
        for symbol, units in position.supplied
    )
    debt = sum(units * prices[symbol] for symbol, units in position.borrowed)
    return reach / debt / 10_000


def arrays(world: Scenario, seed: int, prices=None):
    prices = prices or {"ETH": 200 * 10**8, "DAI": 10**8}
    positions = build_population(world, seed, prices)
    debt = np.array([p.borrowed[0][1] * prices["DAI"] / 1e26 for p in positions])
    return positions, debt, np.array([health(p, world, prices) for p in positions])


MANY = ("population.borrowers.count=4000", "population.borrowers.size.sampling='random'")
LOOSE = (
    "population.borrowers.health={excess_median=1.2, excess_sigma=0.5, min=1.04, max=1e6}",
    "population.borrowers.size={total_debt_usd=5e6, sigma=1.5, correlation=-0.6}",
)


class TestDistribution:
    def test_health_is_lognormal_over_one(self):
        seed = 31
        print(f"seed {seed}")
        _, _, found = arrays(scenario(*MANY, *LOOSE), seed)
        excess = np.log(found - 1)
        assert np.median(excess) == pytest.approx(np.log(1.2), abs=5 * 0.5 / 4000**0.5)
        assert excess.std() == pytest.approx(0.5, rel=5 / 8000**0.5)

    def test_sizes_are_lognormal_and_add_up(self):
        seed = 32
        print(f"seed {seed}")
        _, debt, _ = arrays(scenario(*MANY, *LOOSE), seed)
        assert debt.sum() == pytest.approx(5e6, rel=1e-9)
        assert np.log(debt).std() == pytest.approx(1.5, rel=5 / 8000**0.5)

    @pytest.mark.parametrize("sampling", ["random", "stratified"])
    @pytest.mark.parametrize("rho", [-0.6, 0.0, 0.9])
    def test_size_and_health_are_tied_by_the_copula(self, rho, sampling):
        seed = 33
        print(f"seed {seed}")
        world = scenario(
            *MANY,
            *LOOSE,
            f"population.borrowers.size.correlation={rho}",
            f"population.borrowers.size.sampling='{sampling}'",
        )
        _, debt, found = arrays(world, seed)
        measured = np.corrcoef(np.log(debt), np.log(found - 1))[0, 1]
        assert measured == pytest.approx(rho, abs=5 / 4000**0.5)

    def test_stratified_sizes_and_health_are_the_same_for_every_seed(self):
        world = scenario("population.borrowers.size.sampling='stratified'")
        one, two = (arrays(world, seed) for seed in (1, 2))
        assert np.array_equal(np.sort(one[1]), np.sort(two[1]))
        assert np.allclose(np.sort(one[2]), np.sort(two[2]), rtol=1e-8)
        assert not np.allclose(one[2][np.argsort(one[1])], two[2][np.argsort(two[1])])

    def test_health_stays_within_its_bounds_without_piling_up_there(self):
        world = scenario(
            *MANY,
            "population.borrowers.health={excess_median=0.3, excess_sigma=1.5, min=1.2, max=2}",
        )
        _, _, found = arrays(world, 34)
        assert found.min() >= 1.2 - 1e-9
        assert found.max() <= 2 + 1e-6
        assert np.mean(found < 1.2001) < 0.01
        assert np.mean(found > 1.9999) < 0.01

    def test_scale_moves_every_health_factor_down_to_what_can_be_opened(self):
        base, lower = (
            arrays(scenario(f"population.borrowers.health.scale={scale}"), 7)[2]
            for scale in (1, 0.6)
        )
        assert lower == pytest.approx(np.maximum(base * 0.6, 1 + 1e-6), rel=1e-6)
        assert lower.min() > 1

    def test_no_debt_is_below_the_minimum_and_the_sum_holds(self):
        world = scenario(
            "population.borrowers.size={total_debt_usd=5e6, sigma=3, min_debt_usd=50000}"
        )
        _, debt, _ = arrays(world, 7)
        assert debt.min() >= 50_000 - 1e-6
        assert debt.sum() == pytest.approx(5e6, rel=1e-9)

    def test_all_equal_when_the_minimum_takes_the_whole_sum(self):
        world = scenario(
            "population.borrowers.size={total_debt_usd=5e6, sigma=3, min_debt_usd=100000}"
        )
        _, debt, _ = arrays(world, 7)
        assert debt == pytest.approx(np.full(50, 100_000.0))


class TestIntegers:
    def test_collateral_is_rounded_up_so_that_health_is_not_below_what_was_drawn(self):
        for seed, decimals in itertools.product(SEEDS, (6, 8, 18)):
            world = scenario(
                f"asset.ETH.decimals={decimals}",
                "population.borrowers.health={excess_median=0.5, excess_sigma=0.5, min=2, max=2}",
            )
            scale = 10 ** (18 - decimals)
            for position in build_population(world, seed):
                collateral = position.supplied[0][1] * scale
                debt = position.borrowed[0][1]
                assert collateral * 200 * 8300 >= 2 * debt * 10_000
                assert (collateral - scale) * 200 * 8300 < 2 * debt * 10_000

    def test_amounts_are_integers(self):
        for position in build_population(scenario(), 7):
            for _, units in (*position.supplied, *position.borrowed, *position.cash):
                assert type(units) is int
                assert units > 0

    def test_positions_are_the_seeds_alone(self):
        assert build_population(scenario(), 7) == build_population(scenario(), 7)
        assert build_population(scenario(), 7) != build_population(scenario(), 8)

    def test_known_positions_never_change(self):
        # Written down once: recorded runs depend on it, on every machine.
        first = build_population(scenario(), 7)[0]
        assert (first.supplied, first.borrowed, first.action) == KNOWN_POSITION

    def test_prices_at_the_start_count(self):
        double = build_population(scenario(), 7, {"ETH": 400 * 10**8, "DAI": 10**8})
        for one, two in zip(build_population(scenario(), 7), double, strict=True):
            assert abs(one.supplied[0][1] - 2 * two.supplied[0][1]) <= 1
            assert one.borrowed == two.borrowed


KNOWN_POSITION = (
    (("ETH", 1_804_314_366_390_481_790_224),),
    (("DAI", 167_114_688_366_909_583_360_000),),
    "nothing",
)


class TestResponses:
    def test_shares_are_those_asked_for(self):
        seed = 35
        print(f"seed {seed}")
        positions = build_population(scenario(*MANY), seed)
        for action, share in (("top-up", 0.5), ("deleverage", 0.25), ("nothing", 0.25)):
            found = sum(p.action == action for p in positions) / len(positions)
            assert found == pytest.approx(share, abs=4 * (share * (1 - share) / 4000) ** 0.5)

    def test_latency_is_within_its_bounds_and_reaches_them(self):
        latencies = {p.latency_blocks for p in build_population(scenario(*MANY), 7)}
        assert latencies == {1, 2, 3, 4, 5}

    def test_only_who_tops_up_has_cash_worth_a_share_of_the_debt(self):
        for position in build_population(scenario(), 7):
            if position.action != "top-up":
                assert position.cash == ()
                continue
            ((symbol, units),) = position.cash
            assert symbol == "ETH"
            assert units * 200 * 5 == pytest.approx(position.borrowed[0][1], rel=1e-12)

    def test_cash_in_the_debt_asset(self):
        world = scenario("population.borrowers.response.cash_in='debt'")
        topping = [p for p in build_population(world, 7) if p.action == "top-up"]
        assert topping
        assert all(p.cash == (("DAI", p.borrowed[0][1] // 5),) for p in topping)

    def test_an_account_answers_the_same_whoever_else_is_there(self):
        few = build_population(scenario(), 7)
        more = build_population(scenario("population.borrowers.count=80"), 7)
        assert [p.action for p in few] == [p.action for p in more[:50]]
        assert [p.latency_blocks for p in few] == [p.latency_blocks for p in more[:50]]


class TestTables:
    def table(self, *rows: PositionRow) -> Scenario:
        base = scenario()
        response = Response(top_up_bps=10_000, cash_bps=1000)
        people = Positions("table", "aave", positions=rows, response=response)
        return checked(dataclasses.replace(base, populations=(people,)))

    def test_several_collaterals_and_debts(self):
        row = PositionRow((("DAI", 10.5), ("ETH", 2.0)), (("DAI", 100.0),), "0xa")
        (position,) = build_population(self.table(row), 7)
        assert position.account == "0xa"
        assert position.supplied == (("DAI", 105 * 10**17), ("ETH", 2 * 10**18))
        assert position.borrowed == (("DAI", 100 * 10**18),)
        assert position.cash == (("DAI", 10 * 10**18),)

    def test_what_cannot_be_opened_is_refused(self):
        limit = 200 * 0.83
        build_population(self.table(PositionRow((("ETH", 1.0),), (("DAI", limit),))), 7)
        with pytest.raises(ScenarioError) as caught:
            build_population(self.table(PositionRow((("ETH", 1.0),), (("DAI", limit + 0.01),))), 7)
        assert caught.value.field == "population[0].position[0].borrowed"
        assert "166.00 USD" in caught.value.allowed

    def test_debts_above_what_is_supplied_or_a_cap_are_refused(self):
        row = PositionRow((("ETH", 50_000.0),), (("DAI", 5e6),))
        with pytest.raises(ScenarioError) as caught:
            build_population(self.table(row, row), 7)
        assert caught.value.field == "venue[1].asset[1].supplied"
        world = scenario("venue.aave.asset.ETH.supply_cap=5000")
        with pytest.raises(ScenarioError) as caught:
            build_population(world, 7)
        assert caught.value.field == "venue[1].asset[0].supply_cap"
        world = scenario("venue.aave.asset.DAI.borrow_cap=4999999")
        with pytest.raises(ScenarioError) as caught:
            build_population(world, 7)
        assert caught.value.field == "venue[1].asset[1].borrow_cap"


class TestBlackThursday:
    """The proxy population against the 307 accounts it was fitted to (Aave v3, June 2023)."""

    world = load_scenario("black-thursday")
    prices = {"ETH": 19_460_000_000, "DAI": 101_000_000}  # noqa: RUF012 - constants of a test

    @pytest.fixture(params=SEEDS)
    def drawn(self, request):
        print(f"seed {request.param}")
        return arrays(self.world, request.param, self.prices)

    def test_has_500_borrowers_and_the_debt_of_the_table(self, drawn):
        positions, debt, _ = drawn
        assert len(positions) == 500
        assert debt.sum() == pytest.approx(88.05e6, rel=1e-6)

    def test_median_health_by_count(self, drawn):
        _, _, found = drawn
        assert np.median(found) == pytest.approx(2.21, abs=0.02)

    def test_median_health_by_debt(self, drawn):
        _, debt, found = drawn
        order = np.argsort(found)
        half = np.searchsorted(np.cumsum(debt[order]), debt.sum() / 2)
        assert found[order][half] == pytest.approx(1.30, abs=0.07)

    @pytest.mark.parametrize(("below", "share"), [(1.3, 0.456), (1.5, 0.570), (2.0, 0.666)])
    def test_debt_below_a_health_factor(self, drawn, below, share):
        _, debt, found = drawn
        assert debt[found < below].sum() / debt.sum() == pytest.approx(share, abs=0.07)

    def test_the_largest_thirtieth_holds_two_thirds(self, drawn):
        _, debt, _ = drawn
        largest = round(500 * 10 / 307)
        assert np.sort(debt)[-largest:].sum() / debt.sum() == pytest.approx(0.67, abs=0.04)

    def test_nobody_is_liquidatable_at_the_start_and_many_are_at_the_low(self, drawn):
        _, debt, found = drawn
        assert found.min() > 1.03
        at_risk = debt[found * 86 / 194.6 < 1].sum() / debt.sum()
        assert at_risk == pytest.approx(0.72, abs=0.06)

    def test_supplies_exceed_debts(self, drawn):
        positions, _, _ = drawn
        market = self.world.venue_as(PooledLending, "aave")
        owed = sum(p.borrowed[0][1] for p in positions)
        assert owed < 0.8 * market.asset("DAI").supplied * 10**18

    def test_ten_percent_lower_and_higher(self):
        base = arrays(self.world, 7, self.prices)[2]
        for scale in (0.9, 1.1):
            paths = [
                f"population.{name}.health.scale={scale}"
                for name in ("large", "large-safe", "retail")
            ]
            scaled = load_scenario("black-thursday", paths)
            found = arrays(scaled, 7, self.prices)[2]
            assert found == pytest.approx(np.maximum(base * scale, 1 + 1e-6), rel=2e-6)


def test_kinds_that_hold_no_lending_positions_are_refused():
    world = scenario()
    (people,) = world.populations
    assert isinstance(people, Borrowers)
    stranger = dataclasses.replace(world, populations=(Stranger("s", "aave"),))
    with pytest.raises(ScenarioError) as caught:
        build_population(stranger, 7)
    assert caught.value.field == "population[0].kind"


@dataclasses.dataclass(frozen=True, slots=True)
class Stranger(Population):
    """A population of a kind the lending set-up does not know."""

    name: str
    venue: str
