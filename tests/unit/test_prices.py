"""Price paths: processes against closed forms, replay against bars, files as people have them."""

import dataclasses
import gzip
import itertools
import json
import math
import os
import random
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ScenarioError
from harness.prices import build_paths, load_price_csv
from harness.prices.paths import YEAR_SECONDS
from harness.scenario import (
    Asset,
    Clock,
    ConstantPrice,
    Correlation,
    JumpDiffusionPrice,
    PriceProcess,
    ReplayPrice,
    Scenario,
    SchedulePrice,
    Shock,
    load_scenario,
    with_price_file,
)
from harness.scenario.blocks import BlockSpace

UNIT = 10**8
START = 1583971200


def scenario(*assets: Asset, blocks=20, seconds=60, correlations=()) -> Scenario:
    return Scenario(
        name="t",
        clock=Clock(blocks, seconds, START),
        assets=assets,
        correlations=correlations,
        block_space=BlockSpace(fee_asset=assets[0].symbol),
    )


def path(process: PriceProcess, start=100.0, seed=7, **clock):
    return build_paths(scenario(Asset("X", process, start_price_usd=start), **clock), seed)["X"]


class TestScheduled:
    def test_constant_is_constant_integers(self):
        prices = path(ConstantPrice(), 194.6)
        assert prices.dtype == np.int64
        assert prices.tolist() == [19_460_000_000] * 20

    def test_a_shock_moves_one_block_and_stays(self):
        prices = path(ConstantPrice(shocks=(Shock(at_s=300, factor=0.7),)))
        assert prices.tolist() == [100 * UNIT] * 5 + [70 * UNIT] * 15

    def test_a_shock_between_blocks_is_felt_in_the_next_one(self):
        prices = path(ConstantPrice(shocks=(Shock(at_s=301, factor=0.7),)))
        assert prices.tolist()[4:8] == [100 * UNIT, 100 * UNIT, 70 * UNIT, 70 * UNIT]

    def test_a_ramp_falls_by_the_same_ratio_each_block(self):
        prices = path(ConstantPrice(shocks=(Shock(at_s=60, factor=0.5, ramp_s=600),)))
        expected = [round(100 * UNIT * 0.5 ** (min(max(i - 1, 0), 10) / 10)) for i in range(20)]
        assert np.abs(prices - expected).max() <= 1

    def test_shocks_multiply(self):
        shocks = (Shock(60, 0.5), Shock(120, 1.5))
        assert path(ConstantPrice(shocks=shocks)).tolist()[:3] == [
            100 * UNIT,
            50 * UNIT,
            75 * UNIT,
        ]

    def test_schedule_in_steps_of_prices(self):
        prices = path(SchedulePrice(points=((120, 90.0), (240, 80.5))))
        assert prices.tolist() == [100 * UNIT] * 2 + [90 * UNIT] * 2 + [8_050_000_000] * 16

    def test_schedule_of_factors_log_linear(self):
        process = SchedulePrice(points=((120, 0.81),), values="factor", interpolation="log-linear")
        assert path(process).tolist()[:4] == [100 * UNIT, 90 * UNIT, 81 * UNIT, 81 * UNIT]


class TestReplay:
    points = ((START - 30, 100.0), (START + 60, 90.0), (START + 150, 80.0))

    def test_last_price_at_or_before_each_block(self):
        prices = path(ReplayPrice(self.points), start=None, blocks=6)
        assert (prices / UNIT).tolist() == [100, 90, 90, 80, 80, 80]

    def test_log_linear_between(self):
        prices = path(ReplayPrice(self.points, interpolation="log-linear"), start=None, blocks=5)
        expected = [100 * 0.9 ** (1 / 3), 90, 90 * (8 / 9) ** (2 / 3), 80, 80]
        assert (prices / UNIT).tolist() == pytest.approx(expected, rel=1e-10)

    def test_scale(self):
        prices = path(ReplayPrice(self.points, scale=0.5), start=None, blocks=2)
        assert (prices / UNIT).tolist() == [50, 45]


class TestJumpDiffusion:
    def test_without_randomness_it_is_the_drift(self):
        prices = path(JumpDiffusionPrice(sigma=0.0, mu=1000.0), seconds=3600)
        expected = [100 * math.exp(1000 * i * 3600 / YEAR_SECONDS) for i in range(20)]
        assert (prices / UNIT).tolist() == pytest.approx(expected, rel=1e-9)

    def test_starts_at_the_start_price(self):
        for seed in range(5):
            process = JumpDiffusionPrice(sigma=5, jumps_per_year=1e6, jump_sd=0.1)
            assert path(process, seed=seed)[0] == 100 * UNIT

    def test_volatility_and_drift_are_those_asked_for(self):
        seed, sigma, mu, blocks = 11, 0.8, 3.0, 40_000
        print(f"seed {seed}")
        prices = path(
            JumpDiffusionPrice(sigma=sigma, mu=mu), seed=seed, blocks=blocks, seconds=3600
        )
        dt = 3600 / YEAR_SECONDS
        moves = np.diff(np.log(prices / UNIT))
        assert moves.std() == pytest.approx(sigma * dt**0.5, rel=4 / (2 * blocks) ** 0.5)
        drift = (mu - sigma**2 / 2) * dt
        assert moves.mean() == pytest.approx(drift, abs=4 * sigma * dt**0.5 / blocks**0.5)

    def test_jumps_come_at_their_rate_and_size(self):
        seed, blocks, rate = 12, 50_000, 2000.0
        print(f"seed {seed}")
        process = JumpDiffusionPrice(sigma=0.0, jumps_per_year=rate, jump_mean=-0.001, jump_sd=0.0)
        prices = path(process, start=1e6, seed=seed, blocks=blocks, seconds=3600)
        jumps = np.rint(np.diff(np.log(prices / UNIT)) / -0.001)
        mean = rate * 3600 / YEAR_SECONDS
        assert jumps.mean() == pytest.approx(mean, abs=4 * (mean / blocks) ** 0.5)
        # Poisson: the variance is the mean
        assert jumps.var() == pytest.approx(mean, rel=0.05)

    def test_jump_sizes_spread_as_stated(self):
        seed, blocks = 13, 50_000
        print(f"seed {seed}")
        process = JumpDiffusionPrice(sigma=0.0, jumps_per_year=1000, jump_mean=0.0, jump_sd=0.01)
        moves = np.diff(np.log(path(process, 1e4, seed, blocks=blocks, seconds=3600) / UNIT))
        expected = 1000 * 3600 / YEAR_SECONDS * 0.01**2
        assert moves.var() == pytest.approx(expected, rel=0.1)

    def test_seeds_differ_and_repeat(self):
        process = JumpDiffusionPrice(sigma=1.0)
        assert path(process, seed=1).tolist() == path(process, seed=1).tolist()
        assert path(process, seed=1).tolist() != path(process, seed=2).tolist()

    def test_a_path_never_changes(self):
        # Written down once: recorded runs depend on it, on every machine.
        process = JumpDiffusionPrice(
            sigma=1.0, jumps_per_year=50_000, jump_mean=-0.01, jump_sd=0.01
        )
        assert path(process, seed=7, blocks=5).tolist() == KNOWN_PATH

    def test_another_asset_changes_nothing(self):
        asset = Asset("X", JumpDiffusionPrice(sigma=1.0), start_price_usd=100.0)
        other = Asset("Y", JumpDiffusionPrice(sigma=2.0), start_price_usd=5.0)
        alone = build_paths(scenario(asset), 7)["X"]
        assert np.array_equal(alone, build_paths(scenario(other, asset), 7)["X"])

    def test_more_blocks_keep_the_first_ones(self):
        process = JumpDiffusionPrice(sigma=1.0, jumps_per_year=1e5, jump_sd=0.1)
        assert path(process, blocks=50)[:20].tolist() == path(process, blocks=20).tolist()

    def test_a_price_out_of_range_is_refused(self):
        with pytest.raises(ScenarioError, match="leaves that in block"):
            path(JumpDiffusionPrice(sigma=0.0, mu=100.0), blocks=1000, seconds=86_400)


KNOWN_PATH = [10_000_000_000, 9_982_573_332, 9_987_435_490, 9_964_616_299, 9_981_307_643]


class TestCorrelation:
    assets = tuple(
        Asset(name, JumpDiffusionPrice(sigma=1.0), start_price_usd=100.0) for name in "ABC"
    )

    def moves(self, correlation, seed=21, blocks=40_000):
        print(f"seed {seed}")
        paths = build_paths(
            scenario(*self.assets, blocks=blocks, correlations=(correlation,)), seed
        )
        return np.array([np.diff(np.log(paths[name] / UNIT)) for name in "ABC"])

    def test_matrix(self):
        rows = ((1.0, 0.8, -0.3), (0.8, 1.0, 0.1), (-0.3, 0.1, 1.0))
        found = np.corrcoef(self.moves(Correlation(("A", "B", "C"), rows)))
        assert np.abs(found - np.array(rows)).max() < 4 / 40_000**0.5

    def test_common_factor(self):
        loadings = (0.9, 0.5, -0.6)
        found = np.corrcoef(self.moves(Correlation(("A", "B", "C"), loadings=loadings)))
        expected = np.outer(loadings, loadings)
        np.fill_diagonal(expected, 1.0)
        assert np.abs(found - expected).max() < 4 / 40_000**0.5

    def test_full_correlation_is_one_path(self):
        paths = build_paths(
            scenario(*self.assets, correlations=(Correlation(("A", "B"), loadings=(1.0, 1.0)),)), 7
        )
        assert np.array_equal(paths["A"], paths["B"])
        assert not np.array_equal(paths["A"], paths["C"])

    def test_common_jumps_fall_in_the_same_blocks(self):
        jumping = JumpDiffusionPrice(sigma=0.0, jumps_per_year=50_000, jump_mean=-0.01)
        assets = [dataclasses.replace(asset, price=jumping) for asset in self.assets]
        tied = Correlation(("A", "B"), loadings=(0.5, 0.5), jumps="common")
        paths = build_paths(scenario(*assets, blocks=500, correlations=(tied,)), 7)
        jumps = {name: np.diff(paths[name]) != 0 for name in "ABC"}
        assert jumps["A"].any()
        assert np.array_equal(jumps["A"], jumps["B"])
        assert not np.array_equal(jumps["A"], jumps["C"])


class TestBlackThursday:
    prices = build_paths(load_scenario("black-thursday"), 7)["ETH"]

    def test_passes_the_cited_figures(self):
        def at(day, hour, minute):
            return self.prices[((day - 12) * 1440 + hour * 60 + minute) // 5] / UNIT

        assert at(12, 0, 0) == 194.6
        assert at(12, 10, 15) == 125.0
        assert at(12, 11, 0) == 132.9
        assert at(12, 23, 15) == 101.2
        assert at(13, 0, 0) == 107.8
        assert at(13, 2, 15) == 86.0
        assert at(13, 23, 0) == 133.0

    def test_low_is_86_at_a_quarter_past_two(self):
        assert self.prices.min() == 86 * UNIT
        assert int(self.prices.argmin()) == (26 * 60 + 15) // 5

    def test_steps_are_like_those_of_five_minute_bars(self):
        largest_fall = 1 - (self.prices[1:] / self.prices[:-1]).min()
        assert 0.087 < largest_fall < 0.10

    def test_at_half_the_interval_the_cited_figures_stay(self):
        finer = load_scenario(
            "black-thursday", ["clock.seconds_per_block=150", "clock.blocks=1152"]
        )
        assert np.array_equal(build_paths(finer, 7)["ETH"][::2], self.prices)

    def test_replayed_prices_do_not_depend_on_the_seed(self):
        other = build_paths(load_scenario("black-thursday"), 8)
        assert np.array_equal(other["ETH"], self.prices)


class TestFiles:
    def write(self, folder, text, name="p.csv"):
        file = folder / name
        file.write_text(text, encoding="utf-8")
        return file

    def test_bars_are_known_when_they_end(self, tmp_path):
        rows = "0,10,12,9,11\n300,11,11,8,8\n600,8,9,8,9\n"
        file = self.write(
            tmp_path,
            "timestamp,open,high,low,close\n"
            + rows.replace("0,", "1583971200,", 1)
            .replace("\n300,", "\n1583971500,")
            .replace("\n600,", "\n1583971800,"),
        )
        assert load_price_csv(file) == (
            (START, 10.0),
            (START + 300, 11.0),
            (START + 600, 8.0),
            (START + 900, 9.0),
        )

    def test_a_close_before_a_gap_is_known_at_the_end_of_its_own_bar(self, tmp_path):
        stamps = [START, START + 60, START + 120, START + 600]
        rows = [f"{stamp},5,5,5,{5}" for stamp in stamps]
        file = self.write(tmp_path, "time,Open,High,Low,Close\n" + "\n".join(rows))
        stamps_known = [stamp for stamp, _ in load_price_csv(file)]
        assert stamps_known == [
            START,
            START + 60,
            START + 120,
            START + 180,
            START + 600,
            START + 660,
        ]

    @pytest.mark.parametrize(
        "stamp",
        [
            "1583971200",
            "1583971200.0",
            "1583971200000",
            "1583971200000000",
            "1583971200000000000",
            "2020-03-12",
            "2020-03-12T00:00:00Z",
            "2020-03-12 00:00:00",
            "2020-03-12 00:00:00.000 UTC",
            "2020-03-12T00:00:00.0000000Z",
            "2020-03-12T01:00:00+01:00",
            "2020-03-11T18:30-0530",
        ],
    )
    def test_times_in_any_usual_form(self, tmp_path, stamp):
        file = self.write(tmp_path, f"date,price\n{stamp},5\n")
        assert load_price_csv(file) == ((START, 5.0),)

    def test_gzip_whatever_its_name(self, tmp_path):
        file = tmp_path / "p.csv"
        file.write_bytes(gzip.compress(b"timestamp,price\n1583971200,5\n"))
        assert load_price_csv(file) == ((START, 5.0),)

    def test_json_bars(self, tmp_path):
        bar = {
            "time_period_start": "2020-03-12T00:00:00.0000000Z",
            "time_period_end": "2020-03-12T00:10:00.0000000Z",
            "price_open": 1.0,
            "price_high": 1.2,
            "price_low": 0.9,
            "price_close": 1.1,
        }
        file = self.write(tmp_path, json.dumps([bar]), "p.json")
        assert load_price_csv(file) == ((START, 1.0), (START + 600, 1.1))

    def test_trades_may_share_a_time_and_the_last_counts(self, tmp_path):
        rows = "1583971200500000,buy,5,1\n1583971200500000,sell,6,1\n1583971201000000,buy,7,1\n"
        file = self.write(tmp_path, "timestamp,side,price,amount\n" + rows)
        assert load_price_csv(file) == ((START + 1, 7.0),)

    @pytest.mark.parametrize(
        ("row", "line", "word"),
        [
            ("gemini,ETHUSD,1760126401211000,1760126401279322,3,buy,0,0.2", 4, "above 0"),
            ("gemini,ETHUSD,1760126400000000,1760126401279322,3,buy,5,0.2", 4, "order"),
            ("gemini,ETHUSD,then,1760126401279322,3,buy,5,0.2", 4, "ISO 8601"),
            ("gemini,ETHUSD,1760126401211000,buy,5,0.2", 4, "8 as the header"),
        ],
    )
    def test_bad_trades_name_their_line(self, tmp_path, row, line, word):
        header = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
        sound = "gemini,ETHUSD,1760126401211000,1760126401279322,1,buy,3998.48,0.2"
        file = self.write(tmp_path, "\n".join([header, sound, sound, row]))
        with pytest.raises(ScenarioError, match=word) as caught:
            load_price_csv(file)
        assert caught.value.field.startswith(f"{file}:{line}")

    def test_bad_json_names_its_element(self, tmp_path):
        bars = [{"time": START + 60 * i, "price": 5.5} for i in range(4)]
        bars[2]["price"] = -1
        file = self.write(tmp_path, json.dumps(bars), "p.json")
        with pytest.raises(ScenarioError, match="above 0") as caught:
            load_price_csv(file)
        assert caught.value.field == f"{file}:3: price"

    def test_a_time_within_a_second_is_not_known_before_it(self, tmp_path):
        file = self.write(tmp_path, "timestamp,price\n1583971200001,5\n")
        assert load_price_csv(file) == ((START + 1, 5.0),)

    @pytest.mark.parametrize(
        ("rows", "line", "word"),
        [
            ("1583971200,5\n1583971200,5", 3, "duplicate"),
            ("1583971260,5\n1583971200,5", 3, "order"),
            ("1583971200,5\n1583971201,0", 3, "above 0"),
            ("1583971200,5\n1583971201,-3", 3, "above 0"),
            ("1583971200,5\n1583971201,nan", 3, "above 0"),
            ("1583971200,5\n1583971201,inf", 3, "above 0"),
            ("1583971200,5\n1583971201,", 3, "above 0"),
            ("1583971200,5\n1583971201,five", 3, "above 0"),
            ("1583971200,5\n\n1583980000,5", 4, "gap"),
            ("yesterday,5", 2, "ISO 8601"),
            ("12,5", 2, "ISO 8601"),
            ("2020-13-45,5", 2, "ISO 8601"),
            ("1583971200,5,6", 2, "2 as the header"),
            ('1583971200,"5', 2, "well-formed"),
        ],
    )
    def test_bad_rows_name_their_line(self, tmp_path, rows, line, word):
        file = self.write(tmp_path, "timestamp,price\n" + rows + "\n")
        with pytest.raises(ScenarioError) as caught:
            load_price_csv(file, max_gap_s=3600)
        assert caught.value.field.startswith(f"{file}:{line}")
        assert word in caught.value.allowed

    @pytest.mark.parametrize("bar", ["5,4,3,4", "5,6,5.5,6", "5,6,4,7"])
    def test_bars_that_contradict_themselves(self, tmp_path, bar):
        file = self.write(tmp_path, f"timestamp,open,high,low,close\n1583971200,{bar}\n")
        with pytest.raises(ScenarioError, match="low <= open, close <= high"):
            load_price_csv(file)

    @pytest.mark.parametrize(
        ("content", "word"),
        [
            (b"", "at least one row"),
            (b"timestamp,price\n", "at least one row"),
            (b"when,price\n1,2\n", "a time column"),
            (b"timestamp,volume\n1583971200,2\n", "exactly one price column"),
            (b"timestamp,a_price,b_price\n1583971200,2,3\n", "exactly one price column"),
            (b"\x1f\x8bgarbage", "gzip"),
            (b"timestamp,price\n\xff\xfe,1\n", "UTF-8"),
        ],
    )
    def test_files_that_are_no_price_files(self, tmp_path, content, word):
        file = tmp_path / "p.csv"
        file.write_bytes(content)
        with pytest.raises(ScenarioError, match=word):
            load_price_csv(file)

    def test_missing_files_and_folders(self, tmp_path):
        for file in (tmp_path / "none.csv", tmp_path):
            with pytest.raises(ScenarioError, match="readable file"):
                load_price_csv(file)

    def test_mutated_files_are_read_or_refused_but_never_crash(self, tmp_path):
        seed = 312
        print(f"seed {seed}")
        dice = random.Random(seed)
        bars = "".join(f"{START + 300 * i},10,12,9,1{i % 3}\n" for i in range(6))
        sound = ("timestamp,open,high,low,close\n" + bars).encode()
        read = 0
        for _ in range(1500):
            content = bytearray(sound)
            for _ in range(dice.randint(1, 4)):
                at = dice.randrange(len(content))
                choice = dice.random()
                if choice < 0.4:
                    content[at] = dice.choice(b'0123456789.,-e\n"\x00\xff \r')
                elif choice < 0.7:
                    del content[at : at + dice.randint(1, 12)]
                else:
                    content[at:at] = content[at : at + dice.randint(1, 30)]
            file = tmp_path / "m.csv"
            file.write_bytes(bytes(content))
            try:
                points = load_price_csv(file, max_gap_s=dice.choice([0, 300, 3600]))
            except ScenarioError:
                continue
            read += 1
            assert all(a < b for (a, _), (b, _) in itertools.pairwise(points))
            assert all(price > 0 for _, price in points)
        assert read > 20


REAL_FILES = os.environ.get("LIQUIDATION_HARNESS_DATA", "")
"""A folder of real series (candles, trades, vendors' exports), where there is one."""


@pytest.mark.skipif(not REAL_FILES, reason="LIQUIDATION_HARNESS_DATA names no folder of real files")
def test_real_files_load():
    files = sorted(Path(REAL_FILES).glob("prices/*"))
    assert files
    for file in files:
        points = load_price_csv(file)
        assert len(points) > 50, file
    five_minutes = next(f for f in files if "black_thursday__binance_ETHUSDT_5m" in f.name)
    changed = with_price_file(load_scenario("black-thursday"), str(five_minutes))
    prices = build_paths(changed, 7)["ETH"]
    assert len(prices) == 576
    assert prices[0] / UNIT == pytest.approx(194.6, abs=0.1)
