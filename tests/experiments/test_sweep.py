"""Sweeps: rows are runs, whoever runs them; what fails is a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import EngineError, ScenarioError
from harness.experiments.pool import LocalWorkers, choose_workers
from harness.experiments.runner import Runner
from harness.experiments.store import Store
from harness.experiments.sweep import Sweep, run_sweep
from harness.experiments.trial import make_trials, run_trial
from harness.metrics.outcome import run_figures
from harness.run import run
from harness.scenario import load_scenario

from .conftest import HERE, MakeSweep


def test_a_row_is_the_run_of_its_point_and_seed(crash: Sweep) -> None:
    with Runner() as runner:
        groups = run_sweep(crash, runner)
    assert len(groups) == 6
    for group in (groups[0], groups[-1]):
        for seed, row in enumerate(group.rows):
            scenario = load_scenario(
                HERE.parent / "cli" / "crash.toml", [*crash.source[1], *group.point.overrides]
            )
            result = run(scenario, seed)
            assert row.digest == result.summary["digest"]
            assert row.figures == run_figures(result)
    falls = [group.rows[0].figures["insolvency_usd"] for group in groups[1::2]]
    assert falls == sorted(falls), "a deeper fall leaves no less insolvency in this market"
    assert falls[-1] > falls[0]


@pytest.mark.slow
def test_two_processes_give_the_rows_of_one(crash: Sweep) -> None:
    with Runner() as one, Runner(LocalWorkers(2)) as two:
        assert run_sweep(crash, two) == run_sweep(crash, one)


def test_points_share_the_draws_of_a_seed(sweep_of: MakeSweep) -> None:
    sweep = sweep_of(
        'scenario = "calm"\nseeds = 3\nset = ["clock.blocks=10"]\n'
        '[[parameter]]\npath = "venue.aave.close_factor_bps"\nvalues = [2000, 9000]'
    )
    with Runner() as runner:
        low, high = run_sweep(sweep, runner)
    for one, other in zip(low.rows, high.rows, strict=True):
        assert one.figures == other.figures  # nothing is liquidated: only luck could differ
        assert one.digest != other.digest
    assert len({row.figures["supplied_usd"] for row in low.rows}) == 3


def test_what_fails_is_a_row_with_its_reason(sweep_of: MakeSweep) -> None:
    sweep = sweep_of(
        'scenario = "single-pair.toml"\n'
        "[[parameter]]\npath = 'venue.market.asset.USDC.borrow_cap'\nvalues = [1, 2_000_000]\n"
        "[[parameter]]\npath = 'venue.market.asset.ETH.ltv_bps'\nvalues = [8000, 8400]"
    )
    with Runner() as runner:
        rows = [group.rows[0] for group in run_sweep(sweep, runner)]
    assert [row.status for row in rows] == ["failed", "failed", "complete", "failed"]
    assert "borrow_cap = 1.0: at least the 1600000" in (rows[0].error or "")
    assert "at most liquidation_threshold_bps 8300" in (rows[1].error or "")
    assert rows[0].figures == {}


def test_a_plug_in_that_raises_is_a_row(
    sweep_of: MakeSweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    sweep = sweep_of(
        'scenario = "single-pair.toml"\n[[parameter]]\npath = "block_space.ordering"\n'
        'values = ["fee-auction", "plug_ins:Raises"]'
    )
    with Runner() as runner:
        rows = [group.rows[0] for group in run_sweep(sweep, runner)]
    assert rows[0].status == "complete"
    assert "block ordering Raises" in (rows[1].error or "")
    assert "ValueError: no order today" in (rows[1].error or "")


@pytest.mark.slow
def test_a_trial_whose_worker_dies_is_a_row_and_the_others_are_not_lost(
    sweep_of: MakeSweep, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{HERE}:{HERE.parents[1]}")
    monkeypatch.syspath_prepend(str(HERE))
    orderings = ["fee-auction", "random", "plug_ins:Dies", "adversarial"]
    sweep = sweep_of(
        f'scenario = "single-pair.toml"\n[[parameter]]\npath = "block_space.ordering"\n'
        f"values = {orderings}"
    )
    store = Store(tmp_path / "trials")
    with Runner(LocalWorkers(2), store) as runner:
        rows = [group.rows[0] for group in run_sweep(sweep, runner)]
    assert [row.status for row in rows] == ["complete", "complete", "failed", "complete"]
    assert rows[2].error == "its worker process died, twice"
    keys = [trial.key for trial in sweep.trials()]
    assert [store.get(key) is not None for key in keys] == [True, True, False, True]


def test_a_worker_with_other_code_is_refused() -> None:
    from dataclasses import replace

    (trial,) = make_trials(load_scenario(HERE / "single-pair.toml"), [0])
    with pytest.raises(EngineError, match="a worker has code"):
        run_trial(replace(trial, code="another"))


def test_a_trial_without_its_twin_has_the_same_digest_and_figures() -> None:
    scenario = load_scenario(HERE.parent / "cli" / "crash.toml", ["clock.blocks=20"])
    whole = run_trial(*make_trials(scenario, [3]))
    alone = run_trial(*make_trials(scenario, [3], twin=False))
    assert alone.digest == whole.digest
    assert alone.figures.items() <= whole.figures.items()
    assert alone.figures["liquidations"]
    assert alone.key != whole.key


def test_a_key_names_everything_a_row_depends_on() -> None:
    scenario = load_scenario(HERE / "single-pair.toml")
    other = load_scenario(HERE / "single-pair.toml", ["clock.blocks=13"])
    trials = [
        *make_trials(scenario, [0, 1]),
        *make_trials(other, [0]),
        *make_trials(scenario, [0], "py-evm"),
    ]
    assert len({trial.key for trial in trials}) == 4
    assert make_trials(scenario, [1])[0].key == trials[1].key


@pytest.mark.parametrize("text", ["thread", "dask", "dask:", "local:2"])
def test_an_executor_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match="local, or dask:ADDRESS"):
        choose_workers(text)
