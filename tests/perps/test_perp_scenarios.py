"""What the built-in scenarios of exchanges are there to show."""

from __future__ import annotations

import pytest

from harness.run import RunResult, run
from harness.scenario import load_scenario, with_price_file

CUT = ("agent.desk.ratio_bps=0", "agent.basis.exit_bps=10000")


def played(name: str, *overrides: str, seed: int = 1) -> RunResult:
    result = run(load_scenario(name, overrides), seed)
    assert not result.run.violations
    assert not result.summary["checks"]["vacuous"]
    return result


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_liquidations_amplify_themselves_only_over_spot(seed: int) -> None:
    """Hedges and basis legs carry liquidations to the index; without them run and twin are one."""
    with_legs = played("perp-cascade", "clock.blocks=220", seed=seed)
    without = played("perp-cascade", "clock.blocks=220", *CUT, seed=seed)
    assert without.summary["cascade"]["amplification"] == pytest.approx(1, abs=0.01)
    assert without.summary["cascade"]["max_wave"] == 0
    assert with_legs.summary["cascade"]["amplification"] > 1.3
    assert with_legs.summary["cascade"]["max_wave"] >= 2
    lows = [r.summary["prices"]["ETH"]["low"] for r in (with_legs, without)]
    assert lows[0] < lows[1] * 0.99


@pytest.mark.slow
def test_each_leg_alone_carries_some_of_it() -> None:
    """The basis traders alone, and the desk alone, amplify less than both."""
    values = [
        played("perp-cascade", "clock.blocks=220", *cut).summary["cascade"]["amplification"]
        for cut in ((), CUT[:1], CUT[1:])
    ]
    both, basis, desk = values
    assert 1 <= basis < both
    assert 1.05 < desk <= both * 1.05


@pytest.mark.slow
def test_cross_margin_takes_along_what_isolated_margin_keeps() -> None:
    figures = played("cross-margin-contagion").summary["exchanges"]
    cross, isolated = figures["cross"]["closed_usd"], figures["isolated"]["closed_usd"]
    assert cross["ETH"]["healthy_alone"] > 1e6
    for symbol in ("ETH", "BTC"):
        assert isolated[symbol]["healthy_alone"] == 0
        assert isolated[symbol]["total"] < cross[symbol]["total"] / 5
    # what fell is closed on both; on the isolated one more of it, since nothing else stands behind
    assert isolated["LUNA"]["total"] > cross["LUNA"]["total"] > 0


@pytest.mark.slow
def test_the_fewer_can_pay_the_further_the_same_fall_goes() -> None:
    results = [
        played("margin-call-spiral", f"population.longs.response.meet_bps={share}")
        for share in (0, 2500, 7500)
    ]
    closed = [r.summary["liquidations"]["by_venue"]["perps"]["repaid_usd"] for r in results]
    lows = [r.summary["prices"]["ETH"]["low"] for r in results]
    met = [r.summary["exchanges"]["perps"]["margin_calls"]["met"] for r in results]
    assert closed == sorted(closed, reverse=True)
    assert closed[0] > 3 * closed[1]
    assert lows == sorted(lows)
    assert met == sorted(met)
    # the spiral reaches the lending market
    lent = [r.summary["liquidations"]["by_venue"]["bank"]["count"] for r in results]
    assert lent[0] > lent[-1]


def test_price_files_replace_paths_of_a_scenario(tmp_path) -> None:
    """As `harness run --prices` does, with a series that falls further in fewer blocks."""
    rows = [f"2025-10-10T20:{50 + i:02}:00Z,{4000 * (1 - 0.02 * i):.2f}" for i in range(10)]
    (tmp_path / "eth.csv").write_text("time,price\n" + "\n".join(rows) + "\n")
    small = load_scenario(
        "perp-cascade", ["population.longs.count=30", "population.shorts.count=15", *CUT]
    )
    scenario = with_price_file(small, f"ETH={tmp_path / 'eth.csv'}")
    result = run(scenario, 1)
    assert result.scenario.clock.blocks == 46
    assert min(result.paths["ETH"]) == 4000 * 82 * 10**6
    assert result.summary["liquidations"]["count"] > 0
