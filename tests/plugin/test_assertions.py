"""What the assertions let pass, what they do not, and what they say."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.errors import ScenarioError, VacuousRun
from harness.run import RunResult, run
from harness.scenario import Borrowers, PooledLending, Scenario, checked, load_scenario
from harness.testing.assertions import (
    assert_contained,
    assert_digest,
    assert_no_bad_debt,
    assert_solvent,
    replay_command,
)

FALL = (
    "clock.blocks=40",
    "expect=liquidations",
    "asset.ETH.price={process='constant', shock=[{at_s=600, factor=0.5}]}",
    "population.borrowers.count=10",
    "population.borrowers.health={excess_median=0.2, excess_sigma=0.6, min=1.05, max=3}",
)


def two_markets() -> Scenario:
    """The same fall over two markets, in one of which everybody is careful."""
    scenario = load_scenario("calm", FALL)
    (risky,) = scenario.venues_of(PooledLending)
    (population,) = scenario.populations
    assert isinstance(population, Borrowers)
    careful = dataclasses.replace(population.health, min=4.0, excess_median=4.0, max=10.0)
    return checked(
        dataclasses.replace(
            scenario,
            venues=(*scenario.venues, dataclasses.replace(risky, name="careful")),
            populations=(
                population,
                dataclasses.replace(population, name="calm", venue="careful", health=careful),
            ),
        )
    )


@pytest.fixture(scope="module")
def fallen() -> RunResult:
    return run(load_scenario("calm", FALL), 3)


@pytest.fixture(scope="module")
def calm() -> RunResult:
    return run(load_scenario("calm", ["clock.blocks=5"]), 3)


@pytest.fixture(scope="module")
def apart() -> RunResult:
    return run(two_markets(), 3)


def said(assertion: Any, *args: Any, **options: Any) -> list[str]:
    with pytest.raises(AssertionError) as caught:
        assertion(*args, **options)
    return str(caught.value).splitlines()


def test_quiet_run_passes_everything(calm: RunResult) -> None:
    assert_solvent(calm, within_bps=0)
    assert_no_bad_debt(calm)
    assert_contained(calm, between=[])
    assert_digest(calm, calm.summary["digest"])
    assert_digest(calm, calm.summary["digest"].upper().replace("X", "x"))
    assert_digest(calm, calm)


def test_bound_is_a_share_of_what_was_supplied(fallen: RunResult) -> None:
    loss = fallen.summary["solvency"]["insolvency_usd"]
    supplied = 0.0
    (state,) = fallen.run.blocks[0].venues.values()
    for symbol, books in zip(("ETH", "DAI"), state.states, strict=True):
        supplied += books.total_claims / 10**18 * fallen.run.blocks[0].external[symbol] / 10**8
    bps = loss / supplied * 10_000
    assert_solvent(fallen, within_bps=bps * 1.0001)
    lines = said(assert_solvent, fallen, within_bps=bps * 0.9999)
    assert lines[0].startswith(f"insolvency of ${loss:,.2f}: ")


def test_first_block_is_the_one_in_which_the_bound_was_passed(fallen: RunResult) -> None:
    first, repeat = said(assert_solvent, fallen)[1:]
    assert first.startswith("  first: block 10 (2020-03-01T00:10:00Z), aave, account borrowers/")
    assert repeat.startswith("  repeat: harness run calm --set clock.blocks=40 --set ")
    assert repeat.endswith("--seed 3")
    (state,) = fallen.run.blocks[9].venues.values()
    assert state.shortfall_market + state.bad_debt == 0


def test_account_named_is_the_one_most_short(fallen: RunResult) -> None:
    first = said(assert_solvent, fallen)[1]
    number = int(first.partition("borrowers/")[2].split()[0])
    opening, venue = fallen.run.opening["aave"], fallen.world.venues["aave"]
    short = []
    for account in range(len(venue.accounts)):
        eth, dai = opening.words(account)
        collateral = (eth >> 128) * fallen.run.blocks[10].external["ETH"]
        debt = (dai & ((1 << 128) - 1)) * fallen.run.blocks[10].external["DAI"]
        short.append(debt - collateral)
    assert number == short.index(max(short))
    assert f"0x{venue.accounts[number].hex()}" in first
    assert float(first.rpartition("$")[2].replace(",", "")) == pytest.approx(
        max(short) / 10**26, rel=1e-3
    )


def test_bad_debt_names_the_first_account_written_off(fallen: RunResult) -> None:
    rows = fallen.run.bad_debts
    total = sum(row.usd for row in rows) / 10**18
    lines = said(assert_no_bad_debt, fallen)
    assert lines[0] == f"bad debt of ${total:,.2f} was written off in {len(rows)} debts"
    block = rows[0].block
    worst = max((row for row in rows if row.block == block), key=lambda row: row.usd)
    assert lines[1].startswith(f"  first: block {block} (")
    assert f"account borrowers/{worst.account} 0x" in lines[1]
    assert lines[1].endswith("of DAI debt without collateral")


def test_damage_inside_is_contained_and_damage_outside_is_not(apart: RunResult) -> None:
    assert_contained(apart, between=["aave"])
    assert_contained(apart, between=["aave", "careful"])
    lines = said(assert_contained, apart, between=["careful"], within=5)
    loss = apart.summary["solvency"]["by_venue"]["aave"]["insolvency_usd"]
    assert lines[0] == (
        f"insolvency of ${loss:,.2f} in aave, outside careful, "
        "where 5 bps of what was supplied are allowed"
    )
    assert ", aave, account borrowers/" in lines[1]
    assert_contained(apart, between=["careful"], within=5_000)


def test_measured_contagion_is_held_to_the_same_bound(apart: RunResult) -> None:
    def with_matrix(caused: float) -> RunResult:
        matrix = {"aave": {"aave": 1e9, "careful": caused}, "careful": {"aave": 1e9}}
        contagion = {"matrix": matrix, "interaction": 0.0}
        return dataclasses.replace(apart, summary={**apart.summary, "contagion": contagion})

    assert_contained(with_matrix(0.0), between=["aave"])
    lines = said(assert_contained, with_matrix(-12.0), between=["aave"])
    assert lines[0].startswith("aave causes $-12.00 of insolvency in careful, ")


def test_unknown_venue_is_refused(calm: RunResult) -> None:
    with pytest.raises(ScenarioError, match="between = 'compound': venues of the scenario: aave"):
        assert_contained(calm, between=["compound"])


@pytest.mark.parametrize(
    "assertion",
    [
        assert_solvent,
        assert_no_bad_debt,
        lambda run, **k: assert_contained(run, between=[], **k),
        lambda run, **k: assert_digest(run, run, **k),
    ],
    ids=["solvent", "no-bad-debt", "contained", "digest"],
)
def test_empty_run_proves_nothing(assertion: Any) -> None:
    empty = run(load_scenario("calm", ["clock.blocks=3", "expect=liquidations"]), 1)
    with pytest.raises(VacuousRun, match=r"so that nothing is proved \(repeat: harness run calm"):
        assertion(empty)
    assertion(empty, allow_vacuous=True)


@pytest.mark.parametrize("assertion", [assert_solvent, assert_no_bad_debt])
def test_run_that_broke_an_invariant_does_not_pass(calm: RunResult, assertion: Any) -> None:
    trace = dataclasses.replace(calm.run, violations=["MKT-1 at block 2: books differ"])
    lines = said(assertion, dataclasses.replace(calm, run=trace))
    assert lines[0] == "the run broke an invariant: MKT-1 at block 2: books differ"
    assert lines[1].startswith("  repeat: harness run calm ")


def test_digest_of_another_run_names_block_and_transaction(fallen: RunResult) -> None:
    other = run(load_scenario("calm", [*FALL, "agent.keeper.min_profit_usd=1e5"]), 3)
    lines = said(assert_digest, fallen, other)
    assert lines[0].startswith("the digest is 0x")
    assert lines[1].startswith("  first: block ")
    assert lines[2].startswith("  transaction ")
    assert "keeper" in lines[2]
    different = run(load_scenario("calm", [*FALL, "population.borrowers.count=9"]), 3)
    assert said(assert_digest, fallen, different)[1].startswith("  the set-up differs")
    longer = run(load_scenario("calm", ["clock.blocks=6"]), 3)
    shorter = run(load_scenario("calm", ["clock.blocks=5"]), 3)
    assert said(assert_digest, longer, shorter)[1] in (
        "  6 blocks here, 5 there",
        "  first: block 5 (chain block 7)",
    )


def test_digest_that_no_longer_holds_says_whether_the_run_repeats_itself(calm: RunResult) -> None:
    lines = said(assert_digest, calm, "0x00")
    assert lines[0] == f"the digest is {calm.summary['digest']}, not 0x00"
    assert lines[1] == "  the run repeats itself: what it consists of has changed"


# The command


def repeated(result: RunResult, folder: Path) -> str:
    """The digest of a run by the command that is said to repeat it."""
    words = shlex.split(replay_command(result))
    assert words[0] == "harness"
    assert main([*words[1:], "--out", str(folder / "run"), "-q"]) == 0
    summary = (folder / "run" / "summary.json").read_text("utf-8")
    return summary.partition('"digest": "')[2].partition('"')[0]


def test_command_repeats_a_scenario_by_name(fallen: RunResult, tmp_path: Path) -> None:
    assert replay_command(fallen).startswith("harness run calm --set clock.blocks=40 ")
    assert repeated(fallen, tmp_path) == fallen.summary["digest"]


def test_command_repeats_a_scenario_made_in_python(apart: RunResult, tmp_path: Path) -> None:
    file = Path(shlex.split(replay_command(apart))[2])
    assert file.suffix == ".toml"
    assert replay_command(apart) == replay_command(apart)
    assert repeated(apart, tmp_path) == apart.summary["digest"]
    file.unlink()


def test_command_names_an_engine_that_is_not_the_default(calm: RunResult) -> None:
    assert replay_command(calm).endswith("--seed 3")
    other = dataclasses.replace(calm, engine="eth-tester")
    assert replay_command(other).endswith("--seed 3 --engine eth-tester")
    assert replay_command(dataclasses.replace(calm, engine="rpc")).endswith("--seed 3")
