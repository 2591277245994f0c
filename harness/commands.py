"""What each command does: from its options to what is printed and an exit code.

A command imports what it runs with; help and a wrong argument need none of it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engine import ENGINES, Engine, default_engine, open_engine
from harness.errors import (
    EngineError,
    ScenarioError,
)

if TYPE_CHECKING:
    from harness.run import Prepared, RunResult
    from harness.scenario import Scenario
    from harness.verify import Verdict

DONE, FAILED, BAD_INPUT, ENGINE_FAILED, INTERRUPTED = 0, 1, 2, 3, 130

_log = logging.getLogger("harness")

PROTOCOLS = {
    "pooled-lending": "several collaterals and debts in one account, under Aave v3.3's rules",
    "isolated-lending": "one collateral, one debt, losses to suppliers at once, as Morpho Blue",
    "pool": "constant-product pool, Uniswap v2's amounts",
    "vault": "one asset lent to several markets, its shares an asset of their own, ERC-4626",
    "perp-exchange": "perpetual futures against a vault: cross and isolated margin, margin calls",
    "clearing-house": "what exchanges cannot collect goes down a default waterfall, step by step",
}


def _say(text: str) -> None:
    """Prints to stdout; a reader that has gone away (``| head``) is no failure."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(error: object, code: int) -> int:
    """Prints one line to stderr; gives the exit code back."""
    text = " ".join(str(error).split())
    print(f"harness: {text}", file=sys.stderr)
    return code


def _open(name: str | None) -> Engine:
    """Opens an engine; one that cannot be reached or used is bad input."""
    try:
        engine = open_engine(name) if name else default_engine()
    except ScenarioError as error:
        raise ScenarioError("--engine", name, error.allowed) from error
    except EngineError as error:
        raise ScenarioError("--engine", name, f"an engine that can be used ({error})") from error
    _log.info("engine: %s", engine.name)
    return engine


def _scenarios() -> dict[str, str]:
    from harness.scenario import load_scenario, scenario_names

    return {name: load_scenario(name).title for name in scenario_names()}


def _mitigations() -> dict[str, str]:
    from harness.mitigations import mitigations

    return {name: remedy.title for name, remedy in mitigations().items()}


def _attacks() -> dict[str, str]:
    from harness.attacks import attacks

    return {name: attack.title for name, attack in attacks().items()}


#: What `list_things` can list.
LISTS: dict[str, Callable[[], dict[str, str]]] = {
    "scenarios": _scenarios,
    "protocols": lambda: PROTOCOLS,
    "engines": lambda: ENGINES,
    "mitigations": _mitigations,
    "attacks": _attacks,
}


def list_things(options: argparse.Namespace) -> int:
    """Prints what there is by kind, a line each."""
    lines = []
    on_terminal = sys.stdout.isatty()  # what reads a pipe wants a line for each
    for kind in [options.what] if options.what else LISTS:
        entries = LISTS[kind]()
        if not options.what:
            lines.append(kind)
        width = max(map(len, entries))
        lines += [
            textwrap.fill(
                text,
                shutil.get_terminal_size().columns if on_terminal else 1000,
                initial_indent=f"  {name:<{width}}  ",
                subsequent_indent=" " * (width + 4),
                break_on_hyphens=False,
            )
            for name, text in entries.items()
        ]
    _say("\n".join(lines))
    return DONE


def run_scenario(options: argparse.Namespace) -> int:
    """Runs a scenario and writes its run directory."""
    from harness.run import set_up
    from harness.scenario import load_scenario, with_price_file
    from harness.terminal import colours, columns, summary_table

    scenario = load_scenario(options.scenario, options.set)
    for argument in options.prices:
        scenario = with_price_file(scenario, argument)
    engine = _open(options.engine)
    try:
        if options.contagion and engine.name.startswith("rpc"):
            allowed = "an engine in this process: a node has one chain, and it is in use"
            raise ScenarioError("--contagion", engine.name, allowed)
        # what cannot be set up is refused before anything changes
        prepared = set_up(scenario, options.seed)
        result = _run_into_directory(scenario, engine, options, prepared)
    finally:
        engine.close()
    if options.json:
        _say(json.dumps(result.summary, indent=2, allow_nan=False))
    elif not options.quiet:
        _say(summary_table(result, colour=colours(sys.stdout), width=columns()))
        _say(f"written to {_path(scenario, options)}")
    failures = _failures(result.summary)
    return complain("check failed: " + "; ".join(failures), FAILED) if failures else DONE


def _path(scenario: Scenario, options: argparse.Namespace) -> Path:
    chosen: Path | None = options.out
    return chosen or Path("runs") / f"{scenario.name}-{options.seed}"


def _run_into_directory(
    scenario: Scenario, engine: Engine, options: argparse.Namespace, prepared: Prepared
) -> RunResult:
    """Runs with a run directory that says at any time how far it got."""
    from harness.results import RunDirectory, command_line
    from harness.run import run
    from harness.terminal import ProgressBar, columns

    path, command = _path(scenario, options), command_line(options.given)
    directory = RunDirectory(path, scenario, options.seed, engine.name, command)
    silent = options.quiet or options.json or not sys.stderr.isatty()
    progress = None if silent else ProgressBar(sys.stderr, columns())
    _log.info("%s: %d blocks and as many of the twin", scenario.name, scenario.clock.blocks)
    try:
        result = run(scenario, options.seed, engine, progress=progress, prepared=prepared)
        if options.contagion:
            result = _with_contagion(result)
        directory.complete(result)
    except ScenarioError:
        directory.discard()
        raise
    except BaseException:
        directory.interrupt()
        raise
    finally:
        if progress:
            progress.clear()
    _log.info("written to %s", path)
    return result


def _with_contagion(result: RunResult) -> RunResult:
    """The result with what its links carried, from runs in processes of their own."""
    from harness.experiments.contagion import contagion
    from harness.experiments.pool import local_executor

    workers = os.cpu_count() or 1
    _log.info("contagion: counterfactual runs in %d processes", workers)
    with local_executor(workers) as executor:
        return result.with_contagion(contagion(result, executor=executor, workers=workers))


def _failures(summary: Mapping[str, Any]) -> list[str]:
    """The checks that did not hold, as the summary's warnings put them."""
    checks = summary["checks"]
    violated = [name for name, holds in checks["invariants"].items() if not holds]
    starts = (*(["vacuous"] if checks["vacuous"] else []), *violated)
    return [text for text in summary["warnings"] if text.startswith(starts)] if starts else []


def compare_remedies(options: argparse.Namespace) -> int:
    """Runs a scenario as it is and with each remedy, and writes both as a page."""
    from harness.experiments.compare import compare
    from harness.experiments.pool import local_executor
    from harness.experiments.table import comparison_table
    from harness.mitigations import remedied
    from harness.report import report
    from harness.report.comparison import COMPARISON
    from harness.results import make_folder, write_json
    from harness.run import set_up
    from harness.scenario import load_scenario
    from harness.terminal import ProgressBar, columns

    scenario = load_scenario(options.scenario, options.set)
    names = options.mitigations.split(",")
    for place, name in enumerate(names):
        if name in names[:place]:
            raise ScenarioError("--mitigations", name, "each once")
        changed = remedied(scenario, name)
        set_up(changed, options.seed)  # refused before anything runs
        if changed == scenario:
            _log.warning("%s changes nothing in %s", name, scenario.name)
    _open(options.engine).close()
    path = options.out or Path("runs") / f"compare-{scenario.name}-{options.seed}"
    make_folder(path)
    seeds = range(options.seed, options.seed + options.seeds)
    trials = (len(names) + 1) * len(seeds)
    silent = options.quiet or options.json or not sys.stderr.isatty()
    progress = None if silent else ProgressBar(sys.stderr, columns())
    try:
        with local_executor(trials) as executor:
            done = None if progress is None else lambda count: progress(count, trials)
            comparison = compare(
                scenario,
                names,
                seeds,
                engine=options.engine,
                with_contagion=options.contagion,
                executor=executor,
                done=done,
            )
    finally:
        if progress:
            progress.clear()
    content = comparison.as_json()
    write_json(path / COMPARISON, content)
    report(path)
    if options.json:
        _say(json.dumps(content, indent=2, allow_nan=False))
    elif not options.quiet:
        _say(comparison_table(comparison, columns()))
        _say(f"written to {path}")
    return DONE if comparison.sound else FAILED


def sweep_parameters(options: argparse.Namespace) -> int:
    """Runs a sweep; see `sweep_command`."""
    from harness.experiments.sweep_command import sweep_command

    _open(options.engine).close()
    finished = sweep_command(options)
    if options.json:
        _say(json.dumps(finished.content, indent=2, allow_nan=False))
    elif not options.quiet:
        _say(finished.text)
        _say(f"written to {finished.path}")
    failures = "; ".join(finished.failures)
    return complain(f"check failed: {failures}", FAILED) if failures else DONE


def play_attack(options: argparse.Namespace) -> int:
    """Plays an attack; see `harness.attacks.command`."""
    from harness.attacks import transcript
    from harness.attacks.command import failures, run_attack
    from harness.attacks.registry import load_attack
    from harness.terminal import columns

    load_attack(options.attack, options.set)  # bad input before an engine is opened for it
    engine = _open(options.engine)
    try:
        result = run_attack(options.attack, options.set, options.seed, engine, options.out)
    finally:
        engine.close()
    if options.json:
        _say(json.dumps(result.as_json(), indent=2, allow_nan=False))
    elif not options.quiet:
        _say(transcript(result, columns()))
    failed = failures(result)
    return complain("check failed: " + "; ".join(failed), FAILED) if failed else DONE


def audit_parameters(options: argparse.Namespace) -> int:
    """Audits a market's parameters; see `harness.audit.command`."""
    from harness.audit.command import run_audit

    _open(options.engine).close()
    return DONE if run_audit(options, _say) else FAILED


def verify_run(options: argparse.Namespace) -> int:
    """Replays a run on another engine."""
    from harness.verify import check_files, replay, rerun

    check_files(options.run_dir)  # before an engine is opened for it
    engine = _open(options.engine)
    try:
        verdict = (rerun if options.rerun else replay)(options.run_dir, engine)
    finally:
        engine.close()
    if options.json:
        _say(json.dumps({"engine": engine.name, **_fields(verdict)}, indent=2))
    elif verdict.differs_at is None and not options.quiet:
        _say(f"verified: {verdict.blocks} blocks, set-up included, are equal on {engine.name}")
        _say(f"digest {verdict.digest}")
    if verdict.differs_at is None:
        return DONE
    if verdict.differs_at == 0:
        difference = "every block is equal, the state at the end is not"
    else:
        difference = f"block {verdict.differs_at} is the first that differs"
    return complain(f"not verified on {engine.name}: {difference}", FAILED)


def write_page(options: argparse.Namespace) -> int:
    """Writes the page of a run or a comparison."""
    from harness.report import report

    page = report(options.run_dir, options.out)
    if options.json:
        _say(json.dumps({"report": str(page), "bytes": page.stat().st_size}, indent=2))
    elif not options.quiet:
        _say(f"written to {page}")
    return DONE


def _fields(verdict: Verdict) -> dict[str, Any]:
    return {
        "verified": verdict.differs_at is None,
        "blocks": verdict.blocks,
        "digest": verdict.digest,
        "differs_at": verdict.differs_at,
    }
