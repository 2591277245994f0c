"""The plugin as a stranger meets it: fixtures, the marker, assertions and what they say."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

HERE = Path(__file__).parent

FALL = [
    "clock.blocks=40",
    "expect=liquidations",
    "asset.ETH.price={process='constant', shock=[{at_s=600, factor=0.5}]}",
    "population.borrowers.count=10",
    "population.borrowers.health={excess_median=0.2, excess_sigma=0.6, min=1.05, max=3}",
]
"""Half of the collateral's value in one step: some borrowers are under water at once."""


def run_file(pytester, text, *options):
    """A session of its own; its start takes three times as long with Hypothesis's plugin."""
    pytester.makepyfile(test_it=text)
    without = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    return pytester.runpytest_subprocess(*without, *options)


def test_the_marker_makes_a_test_of_each_scenario_seed_and_shock(pytester):
    done = run_file(
        pytester,
        """
        import pytest

        @pytest.mark.harness(
            "calm", seeds=[1, 2], shocks=[{}, {"ETH": 0.99}], set=["clock.blocks=4"]
        )
        def test_each(result):
            assert result.summary["blocks"] == 4
        """,
        "-v",
    )
    done.assert_outcomes(passed=4)
    done.stdout.fnmatch_lines(["*test_each[[]calm-seed2-ETHx0.99[]]*PASSED*"])


def test_options_choose_engine_and_seed(pytester):
    done = run_file(
        pytester,
        """
        def test_it(scenario_run, harness_seed, engine):
            few = ("clock.blocks=3", "population.borrowers.count=2")
            result = scenario_run("calm", *few)
            assert (result.engine, result.seed, engine.name) == ("py-evm", 5, "py-evm")
            assert scenario_run("calm", *few) is result
        """,
        "--harness-engine=py-evm",
        "--harness-seed=5",
    )
    done.assert_outcomes(passed=1)


def test_the_market_is_as_deployed_in_every_test(pytester):
    done = run_file(
        pytester,
        """
        import pytest

        @pytest.mark.parametrize("number", range(50))
        def test_supply_counts_from_nothing(market, number):
            market.supply("alice", "ETH", 10**18)
            assert market.position("alice")["ETH"].claims == 10**18
        """,
    )
    done.assert_outcomes(passed=50)


def test_own_protocol_is_behind_the_market(pytester):
    done = run_file(
        pytester,
        """
        import pytest
        from harness.errors import InvariantViolation
        from harness.protocols.pooled_adapter import PooledMarketAdapter

        class TestMutant:
            @pytest.fixture
            def lending_adapter(self):
                return make_mutant

            def test_actions_are_checked(self, market):
                market.supply("bank", "USDC", 50_000 * 10**6)
                with pytest.raises(InvariantViolation, match="MKT-2 .* USDC"):
                    market.supply("alice", "ETH", 10 * 10**18)
                    market.borrow("alice", "USDC", 15_000 * 10**6 + 3)

        def make_mutant():
            return PooledMarketAdapter("MarketDropsDebtDust")

        def test_others_have_the_built_in_one(market):
            assert market.adapter.market.name == "PooledMarket"
        """,
    )
    done.assert_outcomes(passed=2)


def test_a_scenarios_world_is_as_deployed_in_every_test(pytester):
    done = run_file(
        pytester,
        """
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_from_its_start(scenario_world, population, number):
            world = scenario_world("calm")
            assert scenario_world("calm") is world
            assert scenario_world("calm", seed=7) is not world
            aave = world.venues["aave"]
            assert aave.positions == population("calm")
            assert population("calm", seed=7) != population("calm")
            supplied = aave.states(world.engine)[1].total_claims
            dai, who = world.tokens["DAI"], aave.accounts[0]
            owed = world.read(aave.market, "position", who)[1]
            minter = pytest.importorskip("harness.world").MINTER
            world.send(minter, dai, "mint", who, owed)
            world.send(who, dai, "approve", aave.market.address, owed)
            assert world.send(who, aave.market, "repay", dai.address, owed // 2, who).status
            assert world.read(aave.market, "position", who)[1] < owed
            assert set(world.pools) == {"eth-dai"}
            assert world.number == world.world.setup.blocks(0)[-1].number + 3
        """,
    )
    done.assert_outcomes(passed=3)


@pytest.mark.parametrize("engine", ["rvm", "rpc:http://127.0.0.1:9"])
def test_an_engine_that_cannot_be_opened_ends_the_session_in_one_line(pytester, engine):
    done = run_file(pytester, "def test_it(): pass", f"--harness-engine={engine}")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: --harness-engine {engine}: " in done.stderr.str()
    assert "Traceback" not in done.stderr.str()


def test_thousands_of_tests_a_minute(pytester):
    number = 600
    done = run_file(
        pytester,
        f"""
        import pytest

        @pytest.mark.parametrize("number", range({number}))
        def test_life_of_a_position(market, number):
            market.supply("bank", "USDC", 50_000 * 10**6)
            market.supply("alice", "ETH", 10 * 10**18)
            market.borrow("alice", "USDC", 15_000 * 10**6 + number)
            market.price("ETH", 1_500)
            market.liquidate("alice", "ETH", "USDC")
            assert market.position("alice")["ETH"].claims < 10 * 10**18
        """,
    )
    done.assert_outcomes(passed=number)
    assert done.duration < 60 * number / 2_000


def test_pytest_starts_without_importing_what_runs_scenarios(pytester):
    done = run_file(
        pytester,
        """
        import sys

        def test_light():
            heavy = {"numpy", "pyrevm", "hypothesis", "harness.run", "harness.contracts"}
            assert not heavy & set(sys.modules)
        """,
    )
    done.assert_outcomes(passed=1)


def test_the_package_runs_without_pytest_and_hypothesis():
    code = """
import sys
sys.modules.update(pytest=None, hypothesis=None)
import harness.cli, harness.contracts, harness.run, harness.verify, harness.protocols.base
import harness.testing, harness.testing.assertions, harness.testing.invariants
import harness.testing.lending, harness.testing.worlds, harness.protocols.pooled_adapter
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_failing_assertions_name_block_account_and_command(pytester):
    done = run_file(
        pytester,
        f"""
        import pytest
        from harness.testing.assertions import (
            assert_contained, assert_digest, assert_no_bad_debt, assert_solvent
        )

        FALL = {FALL}

        @pytest.fixture
        def fallen(scenario_run):
            return scenario_run("calm", *FALL, seed=3)

        def test_solvent(fallen):
            assert_solvent(fallen)

        def test_bad_debt(fallen):
            assert_no_bad_debt(fallen)

        def test_contained(fallen):
            assert_contained(fallen, between=[])

        def test_digest(fallen):
            assert_digest(fallen, "0x00")
        """,
    )
    done.assert_outcomes(failed=4)
    done.stdout.fnmatch_lines(
        [
            "*insolvency of $* bps of what was supplied, 1 allowed",
            "*first: block * (2020-03-01T*), aave, account * 0x*",
            "*repeat: harness run calm --set clock.blocks=40 --set *--seed 3",
            "*bad debt of $* was written off in * debts",
            "*insolvency of $* in aave, outside *",
            "*the digest is 0x*, not 0x00",
        ]
    )


def test_a_vacuous_run_does_not_pass(pytester):
    done = run_file(
        pytester,
        """
        import pytest
        from harness.errors import VacuousRun
        from harness.testing.assertions import assert_solvent

        @pytest.mark.harness("calm", set=["clock.blocks=3", "expect=liquidations"])
        def test_it(result):
            with pytest.raises(VacuousRun, match="repeat: harness run calm"):
                assert_solvent(result)
        """,
    )
    done.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("", "the fixture result needs @pytest.mark.harness(SCENARIO)"),
        ("@pytest.mark.harness()", "without a scenario"),
        ("@pytest.mark.harness('calm', seed=[1])", "not ['seed']"),
    ],
)
def test_a_marker_that_asks_for_nothing_is_an_error(pytester, marker, message):
    done = run_file(pytester, f"import pytest\n{marker}\ndef test_it(result):\n    pass\n")
    done.assert_outcomes(errors=1)
    assert message in done.stdout.str() + done.stderr.str()


@pytest.mark.parametrize(
    ("shock", "message"),
    [({"BTC": 0.5}, "shock = 'BTC': one of ETH, DAI"), ({"ETH": 0.5}, "takes shocks")],
)
def test_a_shock_that_cannot_be_made_is_refused(shock, message):
    from dataclasses import replace

    from harness.errors import ScenarioError
    from harness.scenario import PriceProcess, load_scenario
    from harness.testing.plugin import shocked

    scenario = load_scenario("calm")
    first = replace(scenario.assets[0], price=PriceProcess())
    with pytest.raises(ScenarioError) as caught:
        shocked(replace(scenario, assets=(first, *scenario.assets[1:])), shock)
    assert message in str(caught.value)


@pytest.mark.slow
def test_a_strangers_folder_with_the_package_from_a_wheel_and_nothing_else(tmp_path):
    root = HERE.parent.parent
    wheels, home, folder = tmp_path / "wheels", tmp_path / "venv", tmp_path / "theirs"
    pip = [sys.executable, "-m", "pip"]
    built = [*pip, "wheel", "-q", "--no-deps", "-w", str(wheels), str(root)]
    subprocess.run(built, check=True)
    venv.create(home, with_pip=True)
    python = str(home / "bin" / "python")
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([python, "-m", "pip", "install", "-q", f"{wheel}[test]"], check=True)
    folder.mkdir()
    shutil.copy(HERE / "stranger" / "test_my_market.py", folder)
    done = subprocess.run(
        [python, "-m", "pytest", "-q"], cwd=folder, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
