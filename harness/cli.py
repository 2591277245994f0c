"""The command line. Exit codes: 0 done; 1 a check failed; 2 bad input; 3 an engine failed in
mid-run; 130 interrupted.

A command imports what it runs with; help and a wrong argument need none of it."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.engine import ENGINES, Engine, default_engine, open_engine
from harness.errors import (
    EngineError,
    HarnessError,
    InvariantViolation,
    ScenarioError,
    VacuousRun,
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


class _Parser(argparse.ArgumentParser):
    """Reports bad arguments in one line, like every other bad input."""

    def error(self, message: str) -> Any:
        self.exit(BAD_INPUT, f"harness: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = _Parser(
        prog="harness",
        description="A crash-test rig for on-chain liquidations.",
        epilog="example:\n  harness run black-thursday --seed 7",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"harness {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    listing = _command(commands, "list", _list, "what there is to run", "harness list scenarios")
    listing.add_argument("what", nargs="?", choices=sorted(_LISTS), help="one kind only")

    running = _command(
        commands,
        "run",
        _run,
        "run a scenario, and its twin in which forced sales move no price",
        "harness run black-thursday --set asset.ETH.external.depth_2pct_usd=1e6",
    )
    running.add_argument("scenario", help="a name from `harness list scenarios`, or a TOML file")
    running.add_argument(
        "--prices",
        metavar="[ASSET=]FILE.csv",
        action="append",
        default=[],
        help="replay these prices instead of the scenario's (repeatable, one for each asset)",
    )
    running.add_argument(
        "--contagion",
        action="store_true",
        help="run again without each link between venues, and say what each carried",
    )
    _common(running)

    comparing = _command(
        commands,
        "compare",
        _compare,
        "run a scenario as it is and with remedies, over the same seeds",
        "harness compare black-thursday --mitigations price-breaker+grace,depth-cap",
    )
    comparing.add_argument("scenario", help="a name from `harness list scenarios`, or a TOML file")
    comparing.add_argument(
        "--mitigations",
        required=True,
        metavar="A,B+C",
        help="remedies from `harness list mitigations`, or module:Class; + stacks them",
    )
    comparing.add_argument(
        "--seeds", type=_positive, default=1, metavar="N", help="how many, from --seed on"
    )
    comparing.add_argument(
        "--contagion", action="store_true", help="measure contagion in every run, with intervals"
    )
    _common(comparing, out="folder for table and page (default runs/compare-SCENARIO-SEED)")

    sweeping = _command(
        commands,
        "sweep",
        _sweep,
        "run a scenario over a design of parameters, or look for its critical point",
        "harness sweep depth.toml --workers 4 --resume",
    )
    sweeping.add_argument("sweep", type=Path, metavar="FILE.toml", help="design, seeds, search")
    sweeping.add_argument(
        "--executor",
        default="local",
        metavar="local|dask:ADDRESS",
        help="where trials run: processes here (default), or a Dask cluster",
    )
    sweeping.add_argument(
        "--workers", type=_positive, metavar="N", help="processes (default: one for each core)"
    )
    sweeping.add_argument(
        "--resume", action="store_true", help="go on where this sweep was stopped or killed"
    )
    _common(sweeping, out="folder of the sweep (default runs/sweep-NAME)")

    attacking = _command(
        commands,
        "attack",
        _attack,
        "play an attack, step by step; exit code 1 if the protocol does not withstand it",
        "harness attack spot-oracle --set remedied=true",
    )
    attacking.add_argument(
        "attack", help="a name from `harness list attacks`, or a .py or .toml file"
    )
    _common(attacking, out="folder for attack.json (default: none is written)")
    auditing = _command(
        commands,
        "audit",
        _audit,
        "audit liquidation parameters: risk, safe ranges, a verdict",
        "harness audit market.toml --set audit.appetite_bps=5",
    )
    auditing.add_argument("scenario", help="a name from `harness list scenarios`, or a TOML file")
    auditing.add_argument(
        "--positions", type=Path, metavar="FILE.csv", help="accounts instead of the scenario's"
    )
    auditing.add_argument(
        "--prices",
        metavar="[ASSET=]FILE.csv",
        action="append",
        default=[],
        help="estimate volatility, jumps and correlation from a history (repeatable)",
    )
    auditing.add_argument(
        "--depth",
        metavar="[ASSET=]FILE.csv",
        action="append",
        default=[],
        help="set pools and outside market from a table of quotes (repeatable)",
    )
    auditing.add_argument(
        "--format", default="html,json", metavar="html,md,json", help="what to write"
    )
    auditing.add_argument(
        "--executor", default="local", metavar="local|dask:ADDRESS", help="where runs go"
    )
    auditing.add_argument("--workers", type=_positive, metavar="N", help="local processes")
    _common(auditing, out="folder for the report (default runs/audit-SCENARIO-SEED)")

    verifying = _command(
        commands,
        "verify",
        _verify,
        "replay a run's transactions and compare every block's digest",
        "harness verify runs/black-thursday-7 --engine py-evm",
    )
    verifying.add_argument("run_dir", type=Path, help="a folder that `harness run` wrote")
    verifying.add_argument("--rerun", action="store_true", help="run the agents again too")
    _common(verifying, seeded=False)

    reporting = _command(
        commands,
        "report",
        _report,
        "write one self-contained HTML page about a run",
        "harness report runs/black-thursday-7",
    )
    reporting.add_argument(
        "run_dir", type=Path, help="a folder that `harness run` or `compare` wrote"
    )
    reporting.add_argument(
        "--out", type=Path, metavar="FILE", help="the page (default report.html in that folder)"
    )
    reporting.add_argument(
        "--json", action="store_true", help="print one JSON object, nothing else"
    )
    _loudness(reporting)
    return parser


def _command(
    commands: Any, name: str, action: Callable[..., int], text: str, example: str
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,  # an example is pasted whole
    )
    made.set_defaults(action=action)
    return made


def _positive(text: str) -> int:
    """A whole number from 1 on."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: an integer of 1 or more")
    return number


def _common(
    parser: argparse.ArgumentParser,
    *,
    seeded: bool = True,
    out: str = "run directory (default runs/SCENARIO-SEED)",
) -> None:
    parser.add_argument("--engine", help=f"{', '.join(ENGINES)}; by default the fastest there is")
    parser.add_argument("--json", action="store_true", help="print one JSON object, nothing else")
    if seeded:
        parser.add_argument("--seed", type=int, default=0, help="fixes every draw (default 0)")
        parser.add_argument("--out", type=Path, help=out, metavar="DIR")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="PATH=VALUE",
            help="change a scenario's value (repeatable)",
        )
    _loudness(parser)


def _loudness(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-v", "--verbose", action="store_true", help="log what is done")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a scenario may hold what the terminal cannot
    parser = build_parser()
    options, unknown = parser.parse_known_args(given)
    if unknown:
        parser.prog += f" {options.command}"  # whose help has what was meant
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    options.given = given
    _start_log(options)
    try:
        code: int = options.action(options)
    except ScenarioError as error:
        return _complain(error, BAD_INPUT)
    except (InvariantViolation, VacuousRun) as error:
        return _complain(error, FAILED)
    except (HarnessError, OSError) as error:
        return _complain(error, ENGINE_FAILED)
    except KeyboardInterrupt:
        more = "; with --resume it goes on from there" if options.command == "sweep" else ""
        return _complain(f"interrupted{more}", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - an agent or process from outside may raise anything
        _log.info("this is where it failed", exc_info=True)
        where = "" if options.verbose else " (-v shows where)"
        return _complain(f"{type(error).__name__}: {error}{where}", ENGINE_FAILED)
    return code


def _open_streams() -> None:
    """A shell may have started this with stdout or stderr closed (``>&-``): nobody reads them."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end


def _start_log(options: argparse.Namespace) -> None:
    """Logs to stderr: warnings, with -v what is done, with -q errors only."""
    verbose, quiet = getattr(options, "verbose", False), getattr(options, "quiet", False)
    options.verbose = verbose
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("harness: %(message)s"))
    _log.handlers = [handler]
    _log.setLevel(logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING)


def _complain(error: object, code: int) -> int:
    text = " ".join(str(error).split())
    print(f"harness: {text}", file=sys.stderr)
    return code


def _say(text: str) -> None:
    """Prints to stdout; a reader that has gone away (``| head``) is no failure."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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


# --- commands -----------------------------------------------------------------------------------


def _scenarios() -> dict[str, str]:
    from harness.scenario import load_scenario, scenario_names

    return {name: load_scenario(name).title for name in scenario_names()}


def _mitigations() -> dict[str, str]:
    from harness.mitigations import mitigations

    return {name: remedy.title for name, remedy in mitigations().items()}


def _attacks() -> dict[str, str]:
    from harness.attacks import attacks

    return {name: attack.title for name, attack in attacks().items()}


_LISTS: dict[str, Callable[[], dict[str, str]]] = {
    "scenarios": _scenarios,
    "protocols": lambda: PROTOCOLS,
    "engines": lambda: ENGINES,
    "mitigations": _mitigations,
    "attacks": _attacks,
}


def _list(options: argparse.Namespace) -> int:
    lines = []
    on_terminal = sys.stdout.isatty()  # what reads a pipe wants a line for each
    for kind in [options.what] if options.what else _LISTS:
        entries = _LISTS[kind]()
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


def _run(options: argparse.Namespace) -> int:
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
    return _complain("check failed: " + "; ".join(failures), FAILED) if failures else DONE


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


def _compare(options: argparse.Namespace) -> int:
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


def _sweep(options: argparse.Namespace) -> int:
    from harness.experiments.sweep_command import sweep_command

    _open(options.engine).close()
    finished = sweep_command(options)
    if options.json:
        _say(json.dumps(finished.content, indent=2, allow_nan=False))
    elif not options.quiet:
        _say(finished.text)
        _say(f"written to {finished.path}")
    failures = "; ".join(finished.failures)
    return _complain(f"check failed: {failures}", FAILED) if failures else DONE


def _attack(options: argparse.Namespace) -> int:
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
    return _complain("check failed: " + "; ".join(failed), FAILED) if failed else DONE


def _audit(options: argparse.Namespace) -> int:
    from harness.audit.command import run_audit

    _open(options.engine).close()
    return DONE if run_audit(options, _say) else FAILED


def _verify(options: argparse.Namespace) -> int:
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
    return _complain(f"not verified on {engine.name}: {difference}", FAILED)


def _report(options: argparse.Namespace) -> int:
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


if __name__ == "__main__":
    raise SystemExit(main())
