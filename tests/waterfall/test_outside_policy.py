"""A deleveraging policy from outside, in a scenario, and what is said of one that fails."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from harness import cli
from harness.contracts import Contract
from harness.experiments.trial import make_trials
from harness.metrics.waterfall import haircuts
from harness.run import run, set_up
from harness.scenario import ClearingHouse, Scenario, dump_scenario, load_scenario, parse_scenario
from harness.setup import Setup

SMALL = (Path(__file__).parent / "small.set").read_text("utf-8").split()
SEED = 0


class Outside:
    """A policy whose contract is one of the built-in ones."""

    contract = "BitmexQueue"

    def deploy(self, setup: Setup, house: ClearingHouse) -> Contract:
        return setup.deploy(self.contract)


class Unfinished:
    """A policy that fails before a run begins."""

    def deploy(self, setup: Setup, house: ClearingHouse) -> Contract:
        raise RuntimeError("no bytecode yet")


def small(policy: str) -> Scenario:
    return load_scenario("adl-october", [*SMALL, f"venue.house.policy={policy}"])


def test_it_is_deployed_where_the_same_contract_built_in_is() -> None:
    policies = (f"{__name__}:Outside", "bitmex-queue", "hyperliquid-queue")
    worlds = [set_up(small(policy), SEED)[1] for policy in policies]
    outside, built_in, other = (world.setup.transactions for world in worlds)
    assert outside == built_in != other


def test_the_example_asks_each_winner_for_half_of_its_profit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    examples = Path(__file__).parents[2] / "scripts" / "examples"
    monkeypatch.syspath_prepend(str(examples / "own_deleveraging_policy"))
    result = run(small("leverage_first:LeverageFirst"), SEED)
    assert result.summary["waterfall"]["alts"]["winners"]["paid"] > 0
    cut = haircuts(result.run, "alts")
    assert max(Fraction(each.paid, each.wealth) for each in cut) <= Fraction(1, 2)
    assert all(result.summary["checks"]["invariants"].values())


def test_its_name_survives_the_file() -> None:
    scenario = small(f"{__name__}:Outside")
    assert parse_scenario(dump_scenario(scenario)) == scenario


def test_a_sweep_tells_apart_what_the_policy_deploys(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = small(f"{__name__}:Outside")
    (before,) = make_trials(scenario, [SEED])
    (same,) = make_trials(scenario, [SEED])
    monkeypatch.setattr(Outside, "contract", "HyperliquidQueue")
    (after,) = make_trials(scenario, [SEED])
    assert before.key == same.key != after.key


@pytest.mark.parametrize(
    ("policy", "code", "said"),
    [
        ("fifo", 2, ".policy = 'fifo': one of hyperliquid-queue,"),
        (
            "nowhere:Policy",
            2,
            "venue.house.policy = 'nowhere:Policy': a class that can be imported",
        ),
        (f"{__name__}:Absent", 2, "a class that can be imported (module"),
        (f"{__name__}:Unfinished", 3, "failed: RuntimeError: no bytecode yet"),
    ],
)
def test_one_that_cannot_be_used_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], policy: str, code: int, said: str
) -> None:
    sets = [word for change in SMALL for word in ("--set", change)]
    folder = tmp_path / "run"
    asked = ["run", "adl-october", *sets, "--set", f"venue.house.policy={policy}"]
    assert cli.main([*asked, "--out", str(folder)]) == code
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
    assert not folder.exists()
