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
    pytester.makepyfile(test_it=text)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)


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
            result = scenario_run("calm", "clock.blocks=3")
            assert (result.engine, result.seed, engine.name) == ("py-evm", 5, "py-evm")
            assert scenario_run("calm", "clock.blocks=3") is result
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
