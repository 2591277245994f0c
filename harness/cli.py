"""The command line. Exit codes: 0 done; 1 a check failed; 2 bad input; 3 an engine failed in
mid-run; 130 interrupted."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness import __version__
from harness.commands import (
    BAD_INPUT,
    ENGINE_FAILED,
    FAILED,
    INTERRUPTED,
    LISTS,
    audit_parameters,
    compare_remedies,
    complain,
    list_things,
    play_attack,
    run_scenario,
    sweep_parameters,
    verify_run,
    write_page,
)
from harness.engine import ENGINES
from harness.errors import (
    HarnessError,
    InvariantViolation,
    ScenarioError,
    VacuousRun,
)

_log = logging.getLogger("harness")


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

    listing = _command(
        commands, "list", list_things, "what there is to run", "harness list scenarios"
    )
    listing.add_argument("what", nargs="?", choices=sorted(LISTS), help="one kind only")

    running = _command(
        commands,
        "run",
        run_scenario,
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
        compare_remedies,
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
        sweep_parameters,
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
        play_attack,
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
        audit_parameters,
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
        verify_run,
        "replay a run's transactions and compare every block's digest",
        "harness verify runs/black-thursday-7 --engine py-evm",
    )
    verifying.add_argument("run_dir", type=Path, help="a folder that `harness run` wrote")
    verifying.add_argument("--rerun", action="store_true", help="run the agents again too")
    _common(verifying, seeded=False)

    reporting = _command(
        commands,
        "report",
        write_page,
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
        return complain(error, BAD_INPUT)
    except (InvariantViolation, VacuousRun) as error:
        return complain(error, FAILED)
    except (HarnessError, OSError) as error:
        return complain(error, ENGINE_FAILED)
    except KeyboardInterrupt:
        more = "; with --resume it goes on from there" if options.command == "sweep" else ""
        return complain(f"interrupted{more}", INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - an agent or process from outside may raise anything
        _log.info("this is where it failed", exc_info=True)
        where = "" if options.verbose else " (-v shows where)"
        return complain(f"{type(error).__name__}: {error}{where}", ENGINE_FAILED)
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


if __name__ == "__main__":
    raise SystemExit(main())
