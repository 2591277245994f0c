"""The run directory: a manifest, the summary, the scenario, and Parquet tables.

    manifest.json         what ran, where, with which versions; status running, interrupted or
                          complete; SHA-256 of every other file
    summary.json          the summary object
    scenario.toml         the scenario with everything it depends on
    blocks.parquet        every block, set-up included, with its digest; prices with feedback
                          and without; books and shortfalls of each venue
    transactions.parquet  every executed transaction in order, set-up included, and every order
                          that never was one
    liquidations.parquet  of the run (with waves) and of its twin
    trades.parquet        forced trades of the run
    margin_calls.parquet  every margin call with its end and outcome, of the run and of its twin
    bad_debts.parquet     every debt written off, of the run and of its twin
    positions.parquet     every account before and after, and in which block it was liquidated
    traders.parquet       what every account of an exchange held before and after, and was worth
    cascade.parquet       liquidation, sale, price move, oracle update, next liquidation: every step
    losses.parquet        what each role gained and lost of each asset; it adds up to zero
    final_reads.parquet   the reads whose return values close the digest
    contagion.parquet     with --contagion: insolvency of each venue with and without each link
    waterfall.parquet     with a clearing house: every payment of every step, in order
    haircuts.parquet      with one: every account in line that was dealt with
    sales.parquet         with liquidation modules: their sales, of the run and of its twin

Amounts are integers in base units, USD figures integers in WAD (1e18), prices of outside markets
integers of 8 decimals; integers that may exceed 64 bits are decimal256. Times are epoch seconds.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import __version__
from harness.errors import HarnessError, ScenarioError
from harness.run import RunResult
from harness.scenario import Scenario, dump_scenario
from harness.tables import ALWAYS, IF_ANY, tables_of

MANIFEST = "manifest.json"
SUMMARY = "summary.json"
SCENARIO = "scenario.toml"
SCHEMA = 1

_WRITTEN = {MANIFEST, SUMMARY, SCENARIO, *(f"{name}.parquet" for name in (*ALWAYS, *IF_ANY))}
_UNFINISHED = {"manifest.tmp", "summary.tmp"}
REPORT = "report.html"
"""What `harness report` writes beside the run; a new run there replaces it."""

_PACKAGES = ("numpy", "py-evm", "pyarrow", "pyrevm", "web3", "eth-tester")


class RunDirectory:
    """A run directory that is being written.

    Opening one replaces an earlier run there and writes a manifest that says ``running``;
    ``complete`` writes everything else and then says so; ``interrupt`` says that nothing more
    will come; ``discard`` leaves nothing behind.
    """

    def __init__(
        self, path: Path, scenario: Scenario, seed: int, engine: str, command: str
    ) -> None:
        self.path = path
        self._scenario = scenario
        self._manifest: dict[str, Any] = {
            "schema": SCHEMA,
            "status": "running",
            "scenario": scenario.name,
            "seed": seed,
            "engine": engine,
            "command": command,
            "started": _now(),
            "harness": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": versions(),
        }
        self._made = [folder for folder in (path, *path.parents) if not folder.exists()]
        _make_room(path)
        self._write_manifest()

    def interrupt(self) -> None:
        """Marks the run as interrupted, as far as the disk allows: without that the manifest goes
        on to say running, and nobody takes either for a complete run."""
        self._manifest["status"] = "interrupted"
        with suppress(OSError):
            self._write_manifest()

    def discard(self) -> None:
        """Removes what was written, and the folders that were made for it."""
        for name in _WRITTEN:
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):  # something else is in one of them by now
            for folder in self._made:
                folder.rmdir()

    def complete(self, result: RunResult) -> None:
        """Writes the tables, the scenario and the summary, and marks the run as complete.

        Raises HarnessError if the disk refuses.
        """
        try:
            self._complete(result)
        except OSError as error:
            reason = error.strerror or error
            raise HarnessError(f"{self.path} cannot be completed: {reason}") from error

    def _complete(self, result: RunResult) -> None:
        import pyarrow.parquet as pq

        tables = tables_of(result)
        for name, table in tables.items():
            pq.write_table(table, self.path / f"{name}.parquet", compression="zstd")
        (self.path / SCENARIO).write_text(dump_scenario(self._scenario), "utf-8")
        write_json(self.path / SUMMARY, result.summary)
        written = [SUMMARY, SCENARIO, *(f"{name}.parquet" for name in tables)]
        files = [self.path / name for name in sorted(written)]
        self._manifest |= {
            "status": "complete",
            "finished": _now(),
            "engine": result.engine,
            "digest": result.summary["digest"],
            "files": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        }
        self._write_manifest()

    def _write_manifest(self) -> None:
        write_json(self.path / MANIFEST, self._manifest)


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a complete run.

    Raises ScenarioError if there is none, it cannot be read, or the run is not complete.
    """
    manifest = _read(path)
    if manifest["status"] != "complete":
        raise ScenarioError("run directory", f"{path} ({manifest['status']})", "a complete run")
    return manifest


def _read(path: Path) -> dict[str, Any]:
    """The manifest of a run, whatever its status."""
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        allowed = f"a folder that `harness run` wrote (no {MANIFEST})"
        raise ScenarioError("run directory", str(path), allowed) from None
    except OSError as error:
        allowed = f"a readable {MANIFEST} ({error.strerror})"
        raise ScenarioError("run directory", str(path), allowed) from error
    except ValueError as error:
        raise ScenarioError("run directory", str(path), f"a sound {MANIFEST} ({error})") from error
    if not _is_manifest(manifest):
        allowed = f"a {MANIFEST} that `harness run` wrote, of schema {SCHEMA}"
        raise ScenarioError("run directory", str(path), allowed)
    found: dict[str, Any] = manifest
    return found


def _is_manifest(content: object) -> bool:
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        return False
    needed = {"status": str, "scenario": str, "seed": int, "engine": str}
    if content.get("status") == "complete":
        needed |= {"digest": str, "files": dict}
    return all(isinstance(content.get(key), kind) for key, kind in needed.items())


def _make_room(path: Path) -> None:
    """Makes the folder; an earlier run in it is replaced, anything else is left alone.

    Raises ScenarioError if it cannot be written or holds something other than a run.
    """
    try:
        if path.is_dir():
            _remove_run(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    make_folder(path)


def make_folder(path: Path) -> None:
    """Makes a folder, unless it is there, and makes sure that it can be written.

    Raises ScenarioError if it cannot.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ScenarioError:
    allowed = f"a folder that can be written ({error.strerror or error})"
    return ScenarioError("--out", str(path), allowed)


def _remove_run(path: Path) -> None:
    """Deletes the files of an earlier run; raises ScenarioError if there are any others."""
    found = sorted(file.name for file in path.iterdir())
    if not found:
        return
    allowed = "a new or empty folder, or one that holds an earlier run and nothing else"
    if MANIFEST not in found:
        raise ScenarioError("--out", str(path), f"{allowed} (it holds {found[0]})")
    _read(path)
    others = [name for name in found if name not in _WRITTEN | _UNFINISHED | {REPORT}]
    if others:
        raise ScenarioError("--out", str(path), f"{allowed} (it holds {others[0]})")
    for name in found:
        (path / name).unlink()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes by renaming, so that a reader never sees half a file."""
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", "utf-8")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Installed versions of what figures depend on, by package."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def command_line(arguments: Sequence[str]) -> str:
    """The command with these arguments, as a user would type it."""
    return shlex.join(["harness", *arguments])
