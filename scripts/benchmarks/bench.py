#!/usr/bin/env python3
"""Speed and memory of whole runs, as ratios to the bare engine.

    python scripts/benchmarks/bench.py                    every engine that is installed
    python scripts/benchmarks/bench.py --large            100,000 positions too
    python scripts/benchmarks/bench.py --engines revm --positions 500 --blocks 576

A case is black-thursday with its two days spread over some number of blocks and its borrowers'
debt over some number of accounts. One run of it is recorded: every block and every read, set-up
included. The record is then replayed on pyrevm with nothing around it, no decoding, no log read:
the bare engine. Runs (set-up, twin, run, summary, run directory) and replays alternate, each in a
process of its own, and what is printed is the median over pairs.

    bare s    seconds the bare engine takes for the record
    run s     seconds of the whole run, without starting Python and importing
    run/bare  the second over the first
    tx/s      transactions per second of the run, set-up included, over those of the bare engine
    blocks/s  the same for blocks of twin and run, without set-up and writing
    outside   share of the run's time that is not spent in the engine's methods
    MB        by how much the run's memory grew at its peak
    memory    that over the growth of the bare engine's

Other engines than revm are compared with the same bare pyrevm; a node's own memory is not counted.
Times are the machine's; read the ratios.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import pickle
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

SEED = 7
SCENARIO = "black-thursday"
SECONDS = 172_800
OTHER_BORROWERS = 16
REPEATS = 3

#: positions and blocks of each case, by engine; the slow ones get what they do in a minute or two
CASES: dict[str, list[tuple[int, int]]] = {
    "revm": [(100, 500), (500, 576), (1_000, 500), (10_000, 500)],
    "py-evm": [(100, 24), (300, 24)],
    "anvil": [(100, 48), (1_000, 48)],
    "eth-tester": [(30, 12)],
}
LARGE_CASE = (100_000, 500)  # once, not REPEATS times

#: accounts in the quiet blocks, and how many blocks
QUIET_SIZES = [100, 1_000, 10_000]
QUIET_LARGE = 100_000
QUIET_BLOCKS = 60

Numbers = dict[str, float]


def main() -> int:
    """Prints the table, the growth exponents, the quiet blocks, and the bars."""
    options = _options()
    if options.child:
        print(json.dumps(_CHILDREN[options.child[0]](json.loads(options.child[1]))))
        return 0
    print(f"{os.cpu_count()} CPUs, Python {sys.version.split()[0]}, median of {options.repeats}\n")
    rows = []
    print(f"{'engine':<10} " + " ".join(f"{name:>{width}}" for name, width, _ in COLUMNS))
    for engine, positions, blocks in _cases(options):
        repeats = 1 if (positions, blocks) == LARGE_CASE else options.repeats
        row = measure(engine, positions, blocks, repeats)
        rows.append(row)
        cells = " ".join(f"{format(row[name], form):>{width}}" for name, width, form in COLUMNS)
        print(f"{engine:<10} {cells}", flush=True)
    print()
    for line in _growth(rows):
        print(line)
    quiet = [_child("quiet", positions=size, blocks=QUIET_BLOCKS) for size in _quiet(options)]
    print("\nA block in which nothing happens")
    print("".join(f"{name:>12}" for name in ("positions", "us", "reads", "bytes", "calls")))
    for entry in quiet:
        figures = [entry[name] for name in ("positions", "us", "reads", "bytes", "calls")]
        print("".join(f"{figure:>12,.0f}" for figure in figures))
    print()
    for line in _bars(rows, quiet):
        print(line)
    return 0


COLUMNS = (
    ("positions", 9, ",.0f"),
    ("blocks", 6, ",.0f"),
    ("txs", 8, ",.0f"),
    ("reads", 8, ",.0f"),
    ("bare s", 7, ".2f"),
    ("run s", 7, ".2f"),
    ("run/bare", 8, ".2f"),
    ("tx/s", 6, ".3f"),
    ("blocks/s", 8, ".3f"),
    ("outside", 7, ".0%"),
    ("MB", 6, ",.0f"),
    ("memory", 6, ".2f"),
)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Whole runs beside the bare engine.")
    parser.add_argument("--engines", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--positions", nargs="+", type=int, help="instead of each engine's cases")
    parser.add_argument("--blocks", type=int, default=500, help="with --positions (default 500)")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--large", action="store_true", help="100,000 positions on revm too")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def _cases(options: argparse.Namespace) -> Iterator[tuple[str, int, int]]:
    for engine in options.engines:
        problem = _missing(engine)
        if problem:
            print(f"{engine:<10} left out: {problem}")
            continue
        cases = CASES[engine] + ([LARGE_CASE] if options.large and engine == "revm" else [])
        if options.positions:
            cases = [(size, options.blocks) for size in options.positions]
        for positions, blocks in cases:
            yield engine, positions, blocks


def _quiet(options: argparse.Namespace) -> list[int]:
    return options.positions or QUIET_SIZES + ([QUIET_LARGE] if options.large else [])


def _missing(engine: str) -> str | None:
    """Why an engine cannot be measured here."""
    from importlib.util import find_spec

    if engine == "anvil":
        return None if _anvil_binary() else "no anvil: run `npm ci` in contracts/"
    package = {"revm": "pyrevm", "py-evm": "eth", "eth-tester": "eth_tester"}[engine]
    return None if find_spec(package) else f"{package} is not installed"


# --- in the parent: pairs of processes ----------------------------------------------------------


def measure(engine: str, positions: int, blocks: int, repeats: int) -> dict[str, Any]:
    """One row of the table: medians over pairs of a run and a bare replay of its record."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        record = str(Path(folder) / "record")
        case = {"positions": positions, "blocks": blocks}
        counts = _child("record", **case, record=record)
        url = stack.enter_context(_anvil()) if engine == "anvil" else ""
        pairs = [
            (
                _child("run", **case, engine=f"rpc:{url}" if url else engine, folder=folder),
                _child("bare", record=record),
            )
            for _ in range(repeats)
        ]

    def median(figure: Any) -> float:
        return float(statistics.median(figure(run, bare) for run, bare in pairs))

    return {
        "engine": engine,
        "positions": positions,
        "blocks": blocks,
        "txs": counts["transactions"],
        "reads": counts["reads"],
        "set-up s": median(lambda run, _: run["set_up"]),
        "passes s": median(lambda run, _: run["passes"]),
        "bare s": median(lambda _, bare: bare["total"]),
        "run s": median(lambda run, _: run["total"]),
        "run/bare": median(lambda run, bare: run["total"] / bare["total"]),
        "tx/s": median(lambda run, bare: bare["total"] / run["total"]),
        "blocks/s": median(lambda run, bare: bare["passes"] / run["passes"]),
        "outside": median(lambda run, _: 1 - run["inside"] / run["total"]),
        "MB": median(lambda run, _: run["memory"]) / 2**20,
        "memory": median(lambda run, bare: run["memory"] / max(1, bare["memory"])),
    }


def _child(kind: str, **parameters: Any) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", kind, json.dumps(parameters)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{kind} {parameters} failed:\n{done.stderr}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares through logarithms: the exponent of growth."""
    xs, ys = zip(*[(math.log(x), math.log(y)) for x, y in points], strict=True)
    slope, _ = statistics.linear_regression(xs, ys)
    return slope


def _growth(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for engine in dict.fromkeys(row["engine"] for row in rows):
        mine = [row for row in rows if row["engine"] == engine]
        if len({row["positions"] for row in mine}) < 2:
            continue
        by_size = {
            name: _slope([(row["positions"], row[name]) for row in mine])
            for name in ("run s", "set-up s", "passes s", "bare s")
        }
        memory = _slope([(row["txs"], row["MB"]) for row in mine])
        yield (
            f"{engine}: time grows as positions^{by_size['run s']:.2f} "
            f"(set-up ^{by_size['set-up s']:.2f}, twin and run ^{by_size['passes s']:.2f}, "
            f"bare engine ^{by_size['bare s']:.2f}), memory as transactions^{memory:.2f}"
        )


def _bars(rows: Sequence[dict[str, Any]], quiet: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What the project promises of itself, beside what was measured."""
    for row in rows:
        if row["engine"] != "revm":
            continue
        if (row["positions"], row["blocks"]) == (500, 576):
            allowed = 3 * row["bare s"] + 0.001 * 2 * row["blocks"]
            yield _bar(
                "black-thursday and its twin within 3 x bare + 1 ms a block",
                f"{row['run s']:.2f} s of {allowed:.2f} s",
                row["run s"] <= allowed,
            )
        if row["positions"] == 10_000 and row["blocks"] == 500:
            yield _bar(
                "10,000 borrowers over 500 blocks within 60 s",
                f"{row['run s']:.1f} s",
                row["run s"] <= 60,
            )
    sizes = sorted(
        (row["txs"], row["MB"])
        for row in rows
        if row["engine"] == "revm" and row["positions"] > 500
    )
    if len(sizes) > 1:
        exponent = _slope(sizes[-2:])  # what a process holds at first weighs least in the largest
        yield _bar(
            "memory linear in transactions",
            f"exponent {exponent:.2f} between the largest cases",
            exponent <= 1.05,
        )
    if len(quiet) > 1:
        # a call or two more is a larger block number, which takes another byte in the digest
        least = min(entry["calls"] for entry in quiet)
        same = all(
            entry["reads"] == quiet[0]["reads"]
            and entry["bytes"] == quiet[0]["bytes"]
            and entry["calls"] <= least + 2
            for entry in quiet
        )
        yield _bar(
            "a quiet block's work does not depend on the number of accounts",
            f"{quiet[0]['us']:.0f} to {quiet[-1]['us']:.0f} us",
            same,
        )


def _bar(what: str, measured: str, met: bool) -> str:
    return f"{'met    ' if met else 'NOT MET'} {what}: {measured}"


# --- in a child: one measurement ----------------------------------------------------------------


class Watched:
    """Another engine, with the time spent in it, when set-up ended, and if asked a record.

    An entry of the record is what pyrevm needs and nothing more: a block's number, time and
    transactions; a read; a snapshot; a return to it.
    """

    def __init__(self, inner: Any, *, keep: bool = False) -> None:
        self.name = inner.name
        self.inside = 0.0
        self.set_up_ended: float | None = None
        self.reads = self.read_bytes = self.transactions = self.failed = 0
        self.last_block_size = 0
        self.record: list[tuple[Any, ...]] = []
        self._keep = keep
        self._inner = inner

    def execute(self, block: Any) -> Any:
        """See `Engine.execute`."""
        began = time.perf_counter()
        receipts = self._inner.execute(block)
        self.inside += time.perf_counter() - began
        self.last_block_size = len(block.transactions)
        self.transactions += len(block.transactions)
        if self._keep:
            self.failed += sum(not receipt.status for receipt in receipts)
            sent = [(_text(a), _text(b), data) for a, b, data in block.transactions]
            self.record.append((block.number, block.timestamp, sent))
        return receipts

    def call(self, to: bytes, data: bytes) -> bytes:
        """See `Engine.call`."""
        began = time.perf_counter()
        answer: bytes = self._inner.call(to, data)
        self.inside += time.perf_counter() - began
        self.reads += 1
        self.read_bytes += len(answer)
        if self._keep:
            self.record.append((_text(to), data))
        return answer

    def snapshot(self) -> int:
        """See `Engine.snapshot`."""
        began = time.perf_counter()
        if self.set_up_ended is None:
            self.set_up_ended = began
        token: int = self._inner.snapshot()
        self.inside += time.perf_counter() - began
        self.record.append(("snapshot",))
        return token

    def revert(self, token: int) -> None:
        """See `Engine.revert`."""
        began = time.perf_counter()
        self._inner.revert(token)
        self.inside += time.perf_counter() - began
        self.record.append(("revert",))

    def close(self) -> None:
        """See `Engine.close`."""
        self._inner.close()


def _text(address: bytes) -> str:
    return "0x" + address.hex() if address else ""


def _scenario(positions: int, blocks: int) -> Any:
    from harness.scenario import load_scenario

    return load_scenario(
        SCENARIO,
        [
            f"population.retail.count={positions - OTHER_BORROWERS}",
            f"clock.blocks={blocks}",
            f"clock.seconds_per_block={SECONDS // blocks}",
        ],
    )


def _record(parameters: dict[str, Any]) -> Numbers:
    """Runs a case once on revm and leaves its record in a file."""
    from harness.engine import open_engine
    from harness.run import run

    engine = Watched(open_engine("revm"), keep=True)
    run(_scenario(parameters["positions"], parameters["blocks"]), SEED, engine)
    with Path(parameters["record"]).open("wb") as file:
        pickle.dump((engine.record, engine.failed, engine.read_bytes), file)
    return {"transactions": engine.transactions, "reads": engine.reads}


def _run(parameters: dict[str, Any]) -> Numbers:
    """The whole run, as `harness run` does it."""
    import pyarrow.parquet  # noqa: F401 - imports are no part of what is measured

    from harness.engine import open_engine
    from harness.results import RunDirectory
    from harness.run import run

    scenario = _scenario(parameters["positions"], parameters["blocks"])
    engine = Watched(open_engine(parameters["engine"]))
    folder = Path(parameters["folder"]) / "run"
    before = _memory()
    began = time.perf_counter()
    directory = RunDirectory(folder, scenario, SEED, engine.name, "bench.py")
    result = run(scenario, SEED, engine)
    ran = time.perf_counter()
    directory.complete(result)
    ended = time.perf_counter()
    memory = _peak() - before
    engine.close()
    shutil.rmtree(folder)
    set_up_ended = engine.set_up_ended or ran
    return {
        "set_up": set_up_ended - began,
        "passes": ran - set_up_ended,
        "total": ended - began,
        "inside": engine.inside,
        "memory": memory,
    }


def _bare(parameters: dict[str, Any]) -> Numbers:
    """Replays a record on pyrevm: nothing in the loop but calls of its methods."""
    from pyrevm import EVM, BlockEnv, CfgEnv, Env

    with Path(parameters["record"]).open("rb") as file:
        record, failed, read_bytes = pickle.load(file)  # noqa: S301 - written by this script
    gc.collect()
    gc.freeze()
    before = _memory()
    zero, gas = "0x" + "00" * 20, 1 << 34
    failures = returned = 0
    snapshots = []
    set_up_ended = 0.0
    began = time.perf_counter()
    evm = EVM(spec_id="Cancun", gas_limit=gas, env=Env(cfg=CfgEnv(chain_id=31337)))
    evm.set_block_env(BlockEnv(number=0, timestamp=0))
    reset, call = evm.reset_transient_storage, evm.message_call
    number = timestamp = 0
    for entry in record:
        if len(entry) == 3:
            number, timestamp, sent = entry
            evm.set_block_env(BlockEnv(number=number, timestamp=timestamp))
            for sender, to, data in sent:
                reset()
                try:
                    if to:
                        call(sender, to, data, None, 1 << 30)
                    else:
                        evm.deploy(sender, data, None, 1 << 30)
                except RuntimeError:
                    failures += 1
        elif len(entry) == 2:
            reset()
            mark = evm.snapshot()
            returned += len(call(zero, entry[0], entry[1], None, gas))
            evm.revert(mark)
        elif entry[0] == "snapshot":
            set_up_ended = set_up_ended or time.perf_counter()
            snapshots.append((evm.snapshot(), number, timestamp))
        else:
            mark, number, timestamp = snapshots.pop()
            evm.revert(mark)
            evm.set_block_env(BlockEnv(number=number, timestamp=timestamp))
    ended = time.perf_counter()
    if (failures, returned) != (failed, read_bytes):
        raise SystemExit(f"replayed {failures} failures and {returned} bytes, not as recorded")
    return {
        "total": ended - began,
        "passes": ended - set_up_ended,
        "memory": _peak() - before,
    }


def _quiet_blocks(parameters: dict[str, Any]) -> Numbers:
    """What a block costs in which no price moves and nobody sends anything.

    The time is taken in the twin; in the run, calls of Python and of built-in functions are
    counted instead.
    """
    from harness.engine import default_engine
    from harness.run import run
    from harness.scenario import load_scenario

    positions, blocks = parameters["positions"], parameters["blocks"]
    debt = 1_000 * positions
    scenario = load_scenario(
        "calm",
        [
            f"clock.blocks={blocks}",
            "asset.ETH.price.sigma=0",
            f"population.borrowers.count={positions}",
            f"population.borrowers.size.total_debt_usd={debt}",
            f"venue.aave.asset.DAI.supplied={2 * debt}",
        ],
    )
    engine = Watched(default_engine())
    samples: list[tuple[float, int, int]] = []
    counts: list[int] = []
    calls = reads = read_bytes = 0
    last = time.perf_counter()

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    def after(done: int, total: int) -> None:
        nonlocal calls, reads, read_bytes, last
        now = time.perf_counter()
        sys.setprofile(None)
        # the first block of a pass also scans everybody, the last one takes the census
        if not engine.last_block_size and done % blocks > 1:
            if done < blocks:
                samples.append((now - last, engine.reads - reads, engine.read_bytes - read_bytes))
            else:
                counts.append(calls)
        calls, reads, read_bytes = 0, engine.reads, engine.read_bytes
        if total > done > blocks:
            sys.setprofile(count)
        last = time.perf_counter()

    run(scenario, SEED, engine, progress=after)
    sys.setprofile(None)
    spent, read, size = zip(*samples, strict=True)
    return {
        "positions": positions,
        "us": statistics.median(spent) * 1e6,
        "reads": statistics.median(read),
        "bytes": statistics.median(size),
        "calls": statistics.median(counts),
    }


_CHILDREN = {"record": _record, "run": _run, "bare": _bare, "quiet": _quiet_blocks}


def _memory() -> int:
    """Bytes resident now; where that is not known, at the peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return _peak()
    return pages * resource.getpagesize()


def _peak() -> int:
    """Bytes resident at the peak of this process."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


# --- a node of one's own -------------------------------------------------------------------------


def _anvil_binary() -> str | None:
    modules = Path(__file__).resolve().parents[2] / "contracts" / "node_modules" / "@foundry-rs"
    packaged = sorted(modules.glob("anvil-*/bin/anvil*"))
    return str(packaged[0]) if packaged else shutil.which("anvil")


@contextmanager
def _anvil() -> Iterator[str]:
    """A fresh anvil; the engine puts it back to block 0 after each run."""
    from harness.engine.rpc import ANVIL_FLAGS

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    binary = _anvil_binary() or "anvil"
    node = subprocess.Popen(
        [binary, "--quiet", f"--port={port}", *ANVIL_FLAGS], stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(1_000):
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        node.terminate()
        node.wait(timeout=20)


if __name__ == "__main__":
    sys.exit(main())
