"""``harness sweep``: from the command's options to a folder of results and an exit code."""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import ScenarioError
from harness.experiments.critical import find_critical, most_runs, require_a_scenario
from harness.experiments.pool import choose_workers
from harness.experiments.runner import Done, Runner
from harness.experiments.sweep import PointRows, Sweep, make_sweep, read_sweep, run_sweep
from harness.experiments.sweep_dir import SweepDirectory, rows_json
from harness.experiments.sweep_table import critical_table, remarks_on, sweep_table
from harness.results import command_line
from harness.terminal import ProgressBar, columns

_log = logging.getLogger("harness")


class Finished(NamedTuple):
    """What a sweep came to: its JSON object, its text, where it is, and what did not hold."""

    content: dict[str, Any]
    text: str
    path: Path
    failures: list[str]


def sweep_command(options: Namespace) -> Finished:
    """Runs the sweep that the command's options ask for, and writes its folder.

    Raises ScenarioError: bad input; EngineError: the workers cannot be used.
    """
    workers = choose_workers(options.executor, options.workers)
    if options.engine and options.engine.startswith("rpc:"):
        allowed = "an engine in the worker's process: a node has one chain"
        raise ScenarioError("--engine", options.engine, allowed)
    file: Path = options.sweep
    sweep = make_sweep(
        read_sweep(file),
        file.parent,
        first_seed=options.seed,
        overrides=options.set,
        engine=options.engine,
    )
    if sweep.search is not None:
        require_a_scenario(sweep, sweep.search)
    path: Path = options.out or Path("runs") / f"sweep-{sweep.name}"
    silent = options.quiet or options.json or not sys.stderr.isatty()
    with Runner(workers) as runner:  # workers that cannot be reached are refused before writing
        directory = SweepDirectory(path, sweep, command_line(options.given), resume=options.resume)
        if directory.stale:
            _log.warning("the code has changed since this sweep began: all its trials run again")
        runner.store = directory.store
        bar = None if silent else ProgressBar(sys.stderr, columns())
        try:
            finished, groups = _run(sweep, runner, bar, path)
            directory.complete(finished.content, groups)
        except BaseException:
            directory.interrupt()
            raise
        finally:
            if bar:
                bar.clear()
    return finished


def _run(
    sweep: Sweep, runner: Runner, bar: ProgressBar | None, path: Path
) -> tuple[Finished, tuple[PointRows, ...]]:
    search = sweep.search
    if search is None:
        total = len(sweep.trials())
        groups = run_sweep(sweep, runner, _report(bar, total))
        content, text = _content(sweep, groups), sweep_table(sweep, groups, columns())
    else:
        report = _report(bar, most_runs(sweep, search))
        found, groups = find_critical(sweep, search, runner, report)
        content = _content(sweep, groups) | {
            "search": search.kind,
            "critical": [each.as_json() for each in found],
        }
        text = "\n".join([critical_table(sweep, search, found, columns()), *remarks_on(groups)])
    return Finished(content, text, path, _failures(groups)), groups


def _report(bar: ProgressBar | None, total: int) -> Done | None:
    return None if bar is None else lambda count: bar(count, total)


def _content(sweep: Sweep, groups: Sequence[PointRows]) -> dict[str, Any]:
    return {
        "schema": 1,
        "sweep": sweep.name,
        "scenario": sweep.base.name,
        "seeds": list(sweep.seeds),
        "points": len(groups),
        "trials": rows_json(groups),
    }


def _failures(groups: Sequence[PointRows]) -> list[str]:
    """Which checks did not hold: trials that failed, invariants, and a sweep that is empty."""
    rows = [row for group in groups for row in group.rows]
    failed = sum(row.status == "failed" for row in rows)
    violated = sum(bool(row.violated) for row in rows)
    failures = []
    if failed:
        failures.append(f"{failed} of {len(rows)} trials failed")
    if violated:
        failures.append(f"{violated} of {len(rows)} trials violate invariants")
    if rows and all(row.vacuous for row in rows):
        failures.append("vacuous: nothing happened in any trial")
    return failures
