"""A whole run with an exchange, set-up and twin included, on every engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.run import run
from harness.scenario import Scenario, load_scenario

SMALL = Path(__file__).parent.parent / "perps" / "small.toml"


def shorter() -> Scenario:
    return load_scenario(
        SMALL,
        [
            "clock.blocks=8",
            "population.traders.count=6",
            "population.apart.count=1",
            "population.traders.margin_usd=200_000",
            "asset.ETH.price.shock=[{at_s=30, factor=0.78, ramp_s=60}]",
        ],
    )


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["revm", "eth-tester", "rpc"])
def test_a_run_with_an_exchange_is_the_same_on_every_engine(engine: str, request) -> None:
    spec = f"rpc:{request.getfixturevalue('anvil').url}" if engine == "rpc" else engine
    reference = request.getfixturevalue("reference_run")
    other = run(shorter(), 5, spec)
    assert reference.summary["liquidations"]["by_venue"]["perps"]["count"] > 0
    assert reference.summary["exchanges"]["perps"]["margin_calls"]["count"] > 0
    assert other.summary["digest"] == reference.summary["digest"]
    assert other.summary["exact"] == reference.summary["exact"]


@pytest.fixture(scope="module")
def reference_run():
    return run(shorter(), 5, "py-evm")
