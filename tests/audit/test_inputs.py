"""Inputs: estimates against known parameters, depth against known pools, real files."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.audit.depth import read_depth, with_reserve
from harness.audit.inputs import read_inputs
from harness.cli import main
from harness.errors import ScenarioError
from harness.prices import build_paths
from harness.prices.estimate import correlate, estimate_jump_diffusion
from harness.prices.series import load_price_csv
from harness.run import set_up
from harness.scenario import Correlation, JumpDiffusionPrice, Pool, Scenario, load_scenario

MARKET = Path(__file__).parent / "market.toml"
WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
HOUR = 3600
DAYS = 90


def history(seed: int, rho: float = 0.0, **process: float) -> dict[str, list[tuple[int, float]]]:
    """Hourly prices of ETH and BTC from a jump-diffusion with known parameters."""
    base = load_scenario(MARKET, [f"clock.blocks={24 * DAYS}", "clock.seconds_per_block=3600"])
    eth = replace(base.asset("ETH"), price=JumpDiffusionPrice(**process))
    pair = (eth, replace(eth, symbol="BTC"))
    rows = ((1.0, rho), (rho, 1.0))
    made = Scenario(
        name="history",
        clock=base.clock,
        assets=pair,
        correlations=(Correlation(assets=("ETH", "BTC"), matrix=rows),),
    )
    paths = build_paths(made, seed)
    return {
        symbol: [(HOUR * i, price / 1e8) for i, price in enumerate(path.tolist())]
        for symbol, path in paths.items()
    }


def pegged(share: float) -> list[tuple[int, float]]:
    """A stable coin: a share of its prices is a tick away from a dollar."""
    dice = np.random.default_rng(7)
    away = 1e-4 * dice.choice([-1, 1], 600) * (dice.random(600) < share)
    return [(HOUR * i, 1.0 + tick) for i, tick in enumerate(away.tolist())]


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.5])
def test_a_price_that_mostly_stands_still_has_an_estimate(share):
    """Its diffusion cannot be estimated as nothing: the likelihood would have no bound."""
    found = estimate_jump_diffusion(pegged(share))
    for told in (found.sigma, found.jumps_per_year, found.jump_mean, found.jump_sd):
        assert all(np.isfinite(x) for x in told if x is not None)
    years = found.returns * HOUR / (365 * 24 * HOUR)
    moves = np.diff(np.log([price for _, price in pegged(share)]))
    spread = found.sigma.value**2 + found.jumps_per_year.value * (
        found.jump_mean.value**2 + found.jump_sd.value**2
    )
    # what moved is in the diffusion or in the jumps, but for the share of the threshold's rounding
    assert spread * years == pytest.approx(float(np.sum(moves**2)), rel=0.05)


def test_one_history_under_two_names_is_as_correlated_as_can_be():
    """As of a token and its wrapped twin; and opposite where one is the inverse of the other."""
    eth = history(3, sigma=0.6)["ETH"]
    inverse = [(time, 1 / price) for time, price in eth]
    for other, expected in ((eth, 1), (inverse, -1)):
        found = correlate([("ETH", eth), ("WETH", other)]).matrix[0][1]
        assert found.value == pytest.approx(expected, abs=2e-6)
        assert found.low <= found.high


@pytest.mark.slow
def test_estimates_cover_known_parameters():
    truth = {"sigma": 0.8, "jumps_per_year": 150.0, "jump_mean": -0.06, "jump_sd": 0.04}
    covered = dict.fromkeys(truth, 0)
    for seed in range(8):
        found = estimate_jump_diffusion(history(seed, **truth)["ETH"])
        for name, value in truth.items():
            told = getattr(found, name)
            assert told.low <= told.value <= told.high
            covered[name] += told.low <= value <= told.high
    # 95% intervals: 5 or fewer of 8 have a chance below 0.6% each
    assert min(covered.values()) >= 6, covered


def test_a_diffusion_has_no_jumps():
    found = estimate_jump_diffusion(history(3, sigma=0.6)["ETH"])
    assert found.jumps <= 1
    assert found.sigma.value == pytest.approx(0.6, rel=0.05)  # se of 2,160 returns: 1.5%
    if found.jumps == 0:
        # no jump in 90 days: 19 times in 20 the rate is below 3/T
        assert found.jumps_per_year.high == pytest.approx(12.15, rel=0.01)


@pytest.mark.parametrize("rho", [0.0, 0.85, -0.5])
def test_correlations_cover_the_known_one(rho):
    loaded = history(5, rho, sigma=0.8, jumps_per_year=50.0, jump_sd=0.05)
    found = correlate(list(loaded.items()))
    cell = found.matrix[0][1]
    assert cell.low <= rho <= cell.high
    assert found.matrix[1][0] == cell


def test_a_history_that_is_too_short_or_still_is_refused():
    with pytest.raises(ScenarioError, match="at least 50 returns"):
        estimate_jump_diffusion([(i, 1.0 + i % 2) for i in range(20)])
    with pytest.raises(ScenarioError, match="a price that moves"):
        estimate_jump_diffusion([(i, 1.0) for i in range(200)])


def quotes(file: Path, reserve: float, fee: float = 0.0) -> Path:
    """Quotes of a constant-product pool at 2,000 USDC, as 1inch answers."""
    rows = ["src,dst,in_amount,out_amount"]
    for place in range(1, 60):
        sold = reserve * place / 200
        bought = 2000 * reserve * (1 - fee) * sold / (reserve + sold)
        rows.append(f"{WETH},{USDC},{int(sold * 1e18)},{int(bought * 1e6)}")
    tiny = reserve / 1e9
    rows.append(f"{WETH},{USDC},{int(tiny * 1e18)},{int(2000 * (1 - fee) * tiny * 1e6)}")
    rows.append(f"{USDC},{WETH},1000000,1")
    file.write_text("\n".join(rows) + "\n", "utf-8")
    return file


def tokens() -> list[str]:
    return [f'audit.tokens={{ETH="{WETH}", USDC="{USDC}"}}']


@pytest.mark.parametrize("fee", [0.0, 0.003])
def test_quotes_of_a_known_pool_give_its_reserve(tmp_path, fee):
    file = quotes(tmp_path / "quotes.csv", 7000.0, fee)
    scenario = load_scenario(MARKET, tokens())
    found = {each.symbol: each for each in read_depth(scenario, file, "ETH")}
    assert set(found) == {"ETH"}
    # the best rate is that of the smallest quote, whose own impact is a billionth
    assert found["ETH"].reserve.value == pytest.approx(7000, rel=1e-4)


def test_depth_is_shared_between_pool_and_outside_market():
    scenario = load_scenario(MARKET)
    made = with_reserve(scenario, "ETH", 1e6)
    external = made.asset("ETH").external
    assert external is not None
    outside = external.depth_base(2000 * 10**8, 18) / 1e18
    pool = made.venue_as(Pool, "eth-usdc").base_reserve
    assert outside + pool == pytest.approx(1e6, rel=1e-4)
    before = scenario.asset("ETH").external
    assert before is not None
    share = 5000 / (5000 + before.depth_base(2000 * 10**8, 18) / 1e18)
    assert pool / 1e6 == pytest.approx(share, rel=1e-4)


def test_a_table_of_impacts_says_the_same(tmp_path):
    rows = ["asset,amount,price_impact"]
    rows += [f"ETH,{q},{q / (3000 + q)}" for q in (20, 60, 150, 400, 900)]
    file = tmp_path / "impact.csv"
    file.write_text("\n".join(rows), "utf-8")
    (found,) = read_depth(load_scenario(MARKET), file)
    assert found.reserve.value == pytest.approx(3000)
    made = read_inputs(load_scenario(MARKET), depth=[str(file)])
    assert len(made.variants) == 2
    assert "depth" in made.variants[0].name
    assert "5 quotes" in made.notes[0]


def test_histories_and_positions_become_the_scenario(tmp_path):
    for symbol, points in history(1, 0.7, sigma=0.9).items():
        lines = ["timestamp,price", *(f"{10**9 + t},{p}" for t, p in points)]
        (tmp_path / f"{symbol}.csv").write_text("\n".join(lines), "utf-8")
    people = tmp_path / "people.csv"
    people.write_text(
        "account,collateral_asset,collateral_amount,debt_asset,debt_amount\n"
        "a,ETH,100,USDC,110000\nb,ETH,10,USDC,12000\nc,ETH,1,USDC,1900\n",
        "utf-8",
    )
    found = read_inputs(
        load_scenario(MARKET, ["audit.stress=[]"]), people, [f"ETH={tmp_path / 'ETH.csv'}"]
    )
    process = found.scenario.asset("ETH").price
    assert isinstance(process, JumpDiffusionPrice)
    assert process.sigma == pytest.approx(0.9, rel=0.06)
    (severe,) = found.variants
    harder = severe.scenario.asset("ETH").price
    assert isinstance(harder, JumpDiffusionPrice)
    assert harder.sigma > process.sigma
    assert [s.kind for s in found.scenario.audit.stresses] == [
        "downturn",
        "broken-correlation",
        "as-is",
    ]
    _, world = set_up(found.scenario, 0)
    # c owes more than its threshold allows: left out, and said so when run
    assert [p.account for p in world.venues["market"].positions] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "price_impact with amount"),
        ("asset,amount,price_impact\nBTC,1,0.1\n", "one of ETH, USDC"),
        ("asset,amount,price_impact\nETH,x,0.1\n", "a number of 0 or more"),
        ("asset,amount,price_impact\nETH,1,7\n", "a share, 1 = 100%"),
        ("asset,amount,price_impact\nETH,1,0.1\n", "at least 3 quotes"),
        ("src,dst,in_amount,out_amount\n0x1,0x2,1,1\n", "audit.tokens"),
    ],
)
def test_a_bad_table_is_refused(tmp_path, content, message):
    file = tmp_path / "bad.csv"
    file.write_text(content, "utf-8")
    with pytest.raises(ScenarioError, match=message):
        read_depth(load_scenario(MARKET), file)


REAL_FILES = os.environ.get("LIQUIDATION_HARNESS_DATA", "")
needs_files = pytest.mark.skipif(
    not REAL_FILES, reason="LIQUIDATION_HARNESS_DATA names no folder of real files"
)


@needs_files
def test_real_quotes_give_depths_in_the_order_of_the_tokens_size():
    file = Path(REAL_FILES) / "liquidity" / "oneinch_quotes_2023-11-20_8_tokens.csv.gz"
    tusd = "0x0000000000085d4780B73119b644AE5ecd22b376"
    named = f'audit.tokens={{ETH="{WETH}", TUSD="{tusd}", USDC="{USDC}"}}'
    scenario = load_scenario(MARKET, [named])
    scenario = replace(
        scenario,
        assets=(
            *scenario.assets,
            replace(scenario.asset("USDC"), symbol="TUSD", decimals=18),
        ),
    )
    found = {each.symbol: each for each in read_depth(scenario, file)}
    worth = {s: e.reserve.value * (2000 if s == "ETH" else 1) for s, e in found.items()}
    # the same file: quotes of TUSD are thin (impact to .99), those of WETH deep
    assert worth["ETH"] > 20 * worth["TUSD"]
    assert found["ETH"].quotes > 100


@needs_files
@pytest.mark.parametrize(
    ("file", "low", "high"),
    [
        ("2020-03_black_thursday__binance_ETHUSDT_5m.csv.gz", 2.0, 6.0),
        ("2022-11_crv_ftx__binance_CRVUSDT_5m.csv.gz", 1.0, 4.0),
        ("2023-03_usdc__binance_ETHUSDT_5m.csv.gz", 0.5, 1.5),
    ],
)
def test_real_crashes_are_volatile_and_jump(file, low, high):
    points = load_price_csv(Path(REAL_FILES) / "prices" / file)
    found = estimate_jump_diffusion(points, file)
    returns = np.diff(np.log([price for _, price in points]))
    assert low * 0.3 < found.sigma.value < high
    assert found.jumps > 0
    # jumps and diffusion together hold the variance of the returns
    years = found.returns * found.spacing_s / (365 * 86_400)
    jumped = (
        found.jumps_per_year.value * years * (found.jump_mean.value**2 + found.jump_sd.value**2)
    )
    whole = found.sigma.value**2 * years + jumped
    assert whole == pytest.approx(float((returns**2).sum()), rel=0.05)


@pytest.mark.slow
def test_an_audit_of_files_alone_says_what_they_leave_open(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    points = history(2, sigma=1.2, jumps_per_year=60.0, jump_mean=-0.05, jump_sd=0.03)["ETH"]
    lines = ["timestamp,price", *(f"{10**9 + t},{p}" for t, p in points)]
    Path("eth.csv").write_text("\n".join(lines), "utf-8")
    quotes(Path("quotes.csv"), 9000.0)
    rows = [f"a{i},ETH,{50 + i},USDC,{60_000 + 900 * i}" for i in range(8)]
    head = "account,collateral_asset,collateral_amount,debt_asset,debt_amount"
    Path("people.csv").write_text("\n".join([head, *rows]), "utf-8")
    code = main(
        [
            *("audit", str(MARKET), "--positions", "people.csv", "--prices", "eth.csv"),
            *("--depth", "ETH=quotes.csv", "--json", "--workers", "1", "--out", "found"),
            *("--set", tokens()[0], "--set", "audit.steps=1", "--set", "audit.health=[1.0]"),
        ]
    )
    found = json.loads(capsys.readouterr().out)
    assert code == (0 if found["verdict"] == "pass" else 1)
    assert any("volatility" in note for note in found["notes"])
    assert any("59 quotes" in note or "quotes in quotes.csv" in note for note in found["notes"])
    assert {v["name"] for v in found["variants"]} == {
        "prices at the severe ends of their intervals",
        "depth of ETH at the 10th percentile of its quotes",
        "depth of ETH at the 90th percentile of its quotes",
    }
    # what was put together is written down, and can be audited without the files
    written = load_scenario(tmp_path / "found" / "scenario.toml")
    assert isinstance(written.asset("ETH").price, JumpDiffusionPrice)
    assert len(written.populations) == 1
