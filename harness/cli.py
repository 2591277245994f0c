"""The command line. Exit codes: 0 done; 1 a check failed; 2 bad input; 3 an engine failed in
mid-run; 130 interrupted."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness import __version__
from harness.engine import ENGINES, Engine, default_engine, open_engine
from harness.errors import EngineError, HarnessError, PluginError, ScenarioError
from harness.results import RunDirectory, command_line
from harness.run import run
from harness.scenario import load_scenario, scenario_names, with_price_file
from harness.terminal import colours, progress_bar, summary_table
from harness.verify import replay, rerun

DONE, FAILED, BAD_INPUT, ENGINE_FAILED, INTERRUPTED = 0, 1, 2, 3, 130

_log = logging.getLogger("harness")

PROTOCOLS = {
    "pooled-lending": "several collaterals and debts in one account, under Aave v3.3's rules",
    "pool": "constant-product pool, Uniswap v2's amounts",
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
        epilog="example: harness run black-thursday --seed 7",
    )
    parser.add_argument("--version", action="version", version=f"harness {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    listing = _command(commands, "list", _list, "what there is to run", "harness list scenarios")
    listing.add_argument("what", nargs="?", choices=sorted(_LISTS), help="one kind only")

    running = _command(
        commands,
        "run",
        _run,
        "run a scenario and its twin without feedback",
        "harness run black-thursday --seed 7 --set asset.ETH.external.depth_2pct_usd=1e6",
    )
    running.add_argument("scenario", help="a name from `harness list scenarios`, or a TOML file")
    running.add_argument(
        "--prices",
        metavar="[ASSET=]FILE.csv",
        action="append",
        default=[],
        help="replay these prices instead of the scenario's (repeatable, one for each asset)",
    )
    _common(running)

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
    return parser


def _command(
    commands: Any, name: str, action: Callable[..., int], text: str, example: str
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, epilog=f"example: {example}"
    )
    made.set_defaults(action=action)
    return made


def _common(parser: argparse.ArgumentParser, *, seeded: bool = True) -> None:
    parser.add_argument("--engine", help=f"{', '.join(ENGINES)}; by default the fastest there is")
    parser.add_argument("--json", action="store_true", help="print one JSON object, nothing else")
    if seeded:
        parser.add_argument("--seed", type=int, default=0, help="fixes every draw (default 0)")
        parser.add_argument(
            "--out", type=Path, help="run directory (default runs/SCENARIO-SEED)", metavar="DIR"
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="PATH=VALUE",
            help="change a scenario's value (repeatable)",
        )
    parser.add_argument("-v", "--verbose", action="store_true", help="log what is done")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    options = build_parser().parse_args(arguments)
    verbose, quiet = getattr(options, "verbose", False), getattr(options, "quiet", False)
    level = logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING
    logging.basicConfig(level=level, format="harness: %(message)s", stream=sys.stderr)
    try:
        code: int = options.action(options)
    except ScenarioError as error:
        return _complain(error, BAD_INPUT)
    except (EngineError, PluginError) as error:
        return _complain(error, ENGINE_FAILED)
    except HarnessError as error:
        return _complain(error, FAILED)
    except OSError as error:
        return _complain(error, ENGINE_FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    return code


def _complain(error: object, code: int) -> int:
    text = " ".join(str(error).split())
    print(f"harness: {text}", file=sys.stderr)
    return code


def _open(name: str | None) -> Engine:
    """Opens an engine; one that cannot be reached or used is bad input."""
    try:
        return open_engine(name) if name else default_engine()
    except EngineError as error:
        raise ScenarioError("--engine", name, str(error)) from error


# --- commands -----------------------------------------------------------------------------------


def _scenarios() -> dict[str, str]:
    return {name: load_scenario(name).title for name in scenario_names()}


_LISTS: dict[str, Callable[[], dict[str, str]]] = {
    "scenarios": _scenarios,
    "protocols": lambda: PROTOCOLS,
    "engines": lambda: ENGINES,
    "attacks": dict,
    "mitigations": dict,
}


def _list(options: argparse.Namespace) -> int:
    for kind in [options.what] if options.what else _LISTS:
        entries = _LISTS[kind]()
        if not options.what:
            print(kind if entries else f"{kind}: none yet")
        width = max(map(len, entries), default=0)
        for name, text in entries.items():
            print(f"  {name:<{width}}  {text}")
    return DONE


def _run(options: argparse.Namespace) -> int:
    scenario = load_scenario(options.scenario, options.set)
    for argument in options.prices:
        scenario = with_price_file(scenario, argument)
    for warning in scenario.warnings:
        _log.warning("%s", warning)
    engine = _open(options.engine)
    try:
        path = options.out or Path("runs") / f"{scenario.name}-{options.seed}"
        directory = RunDirectory(path, scenario, options.seed, engine.name, command_line())
        show = None if options.quiet or options.json else progress_bar(sys.stderr)
        try:
            result = run(scenario, options.seed, engine, progress=show)
            directory.complete(result)
        except BaseException:
            directory.interrupt()
            raise
    finally:
        engine.close()
    if options.json:
        print(json.dumps(result.summary, indent=2, allow_nan=False))
    elif not options.quiet:
        print(summary_table(result, colour=colours(sys.stdout)))
        print(f"written to {path}")
    checks = result.summary["checks"]
    return FAILED if checks["vacuous"] or not all(checks["invariants"].values()) else DONE


def _verify(options: argparse.Namespace) -> int:
    engine = _open(options.engine)
    try:
        verdict = (rerun if options.rerun else replay)(options.run_dir, engine)
    finally:
        engine.close()
    if verdict.differs_at is None:
        text = f"{verdict.blocks} blocks equal on {engine.name}, digest {verdict.digest}"
    elif verdict.differs_at == 0:
        text = f"every block is equal on {engine.name}, the final state is not"
    else:
        text = f"block {verdict.differs_at} is the first that differs on {engine.name}"
    if options.json:
        same = verdict.differs_at is None
        print(json.dumps({"verified": same, "engine": engine.name, **_fields(verdict)}, indent=2))
    elif not options.quiet:
        print(text)
    return DONE if verdict.differs_at is None else FAILED


def _fields(verdict: Any) -> dict[str, Any]:
    return {
        "blocks": verdict.blocks,
        "digest": verdict.digest,
        "differs_at": verdict.differs_at,
    }


if __name__ == "__main__":
    raise SystemExit(main())
