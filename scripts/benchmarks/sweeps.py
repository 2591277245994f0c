"""What a sweep costs beside the bare engine, what a second worker brings, and what layers save.

    PYTHONPATH=. python scripts/benchmarks/sweeps.py --trials 200

Each trial is black-thursday with 200 borrowers and 100 blocks, with a seed of its own. Every figure
is a ratio of two things measured in this run, in turns. The bare engine replays with pyrevm the
transactions and reads that the same trials make (see bench.py); a trial does that, writes down its
set-up, decides for every agent, measures, and keeps its row on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench import Watched, _bare, _memory

BORROWERS, BLOCKS, TRIALS, BARE_TRIALS = 200, 100, 1_000, 8
PARTS = ["bare", "workers", "memory", "layers"]
OTHER_BORROWERS = 16
SECONDS = 172_800

#: what a sweep may change between two trials of one seed
CHANGES = {
    "nothing (only prices or agents change)": "agent.default-keeper.latency_blocks=3",
    "a market's parameters": "venue.aave.asset.ETH.liquidation_bonus_bps=600",
    "the outside markets": "asset.ETH.external.depth_2pct_usd=2e6",
}


def main() -> int:
    """Prints the figures and whether the bars are met."""
    parser = argparse.ArgumentParser(description="Sweeps beside the bare engine.")
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--borrowers", type=int, default=BORROWERS)
    parser.add_argument("--blocks", type=int, default=BLOCKS)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(_CHILDREN[options.child[0]](json.loads(options.child[1]))))
        return 0
    case = {"borrowers": options.borrowers, "blocks": options.blocks}
    print(f"{os.cpu_count()} CPUs, Python {sys.version.split()[0]}")
    print(f"{options.borrowers} borrowers, {options.blocks} blocks, {options.trials} trials\n")
    met = True
    if "bare" in options.parts:
        _against_bare(case, min(BARE_TRIALS, options.trials))
    if "workers" in options.parts:
        met &= _workers(case, options.trials)
    if "memory" in options.parts:
        met &= _memory_of_a_worker(case, options.trials)
    if "layers" in options.parts:
        _layers(case)
    return 0 if met else 1


def scenario(borrowers: int, blocks: int, *changes: str) -> Any:
    """The scenario of a trial."""
    from harness.scenario import load_scenario

    return load_scenario(
        "black-thursday",
        [
            f"population.retail.count={max(1, borrowers - OTHER_BORROWERS)}",
            f"clock.blocks={blocks}",
            f"clock.seconds_per_block={SECONDS // blocks}",
            *changes,
        ],
    )


def _bar(what: str, measured: str, met: bool) -> bool:
    print(f"{'met    ' if met else 'NOT MET'} {what}: {measured}")
    return met


# --- trials beside the bare engine ---------------------------------------------------------------


def _against_bare(case: dict[str, int], trials: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        records = [str(Path(folder) / str(seed)) for seed in range(trials)]
        for seed, record in enumerate(records):
            _record(case, seed, record)
        pairs = [
            (
                _child("trials", **case, trials=trials)["total"],
                sum(_child("bare", record=record)["total"] for record in records),
            )
            for _ in range(3)
        ]
    took, bare = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"a trial takes {took / trials:.3f} s, the bare engine {bare / trials:.3f} s for it")
    print(f"trials a second over those of the bare engine: {1 / ratio:.3f}\n")


def _record(case: dict[str, int], seed: int, path: str) -> None:
    from harness.engine import open_engine
    from harness.run import run

    engine = Watched(open_engine("revm"), keep=True)
    run(scenario(**case), seed, engine)
    with Path(path).open("wb") as file:
        pickle.dump((engine.record, engine.failed, engine.read_bytes), file)


def _trials(parameters: dict[str, Any]) -> dict[str, float]:
    """Trials in this process as a sweep runs them; memory after each."""
    from harness.experiments.runner import Runner
    from harness.experiments.store import Store
    from harness.experiments.trial import make_trials

    count = parameters["trials"]
    trials = make_trials(
        scenario(parameters["borrowers"], parameters["blocks"]), range(count), "revm"
    )
    memory: list[int] = []
    with tempfile.TemporaryDirectory() as folder, Runner(store=Store(Path(folder))) as runner:
        began = time.perf_counter()
        runner.run(trials, lambda _: memory.append(_memory()))
        total = time.perf_counter() - began
    middle = memory[count // 2 : count // 2 + 1] or memory
    return {"total": total, "middle": middle[0] / 2**20, "end": memory[-1] / 2**20}


# --- workers -------------------------------------------------------------------------------------


def _workers(case: dict[str, int], trials: int) -> bool:
    one, two = (_child("pool", **case, trials=trials, workers=count) for count in (1, 2))
    print(f"{trials} trials: {one['total']:.1f} s with one worker, {two['total']:.1f} s with two")
    return _bar(
        "two workers at least 1.7 times one",
        f"{one['total'] / two['total']:.2f}, processes started included",
        one["total"] >= 1.7 * two["total"],
    )


def _memory_of_a_worker(case: dict[str, int], trials: int) -> bool:
    alone = _child("trials", **case, trials=trials)
    grown = alone["end"] - alone["middle"]
    return _bar(
        "memory of a worker constant over trials (within 2% in the second half)",
        f"{alone['middle']:.1f} MB in the middle, {grown:+.1f} MB at the end",
        grown <= 0.02 * alone["middle"],
    )


def _pool(parameters: dict[str, Any]) -> dict[str, float]:
    from harness.experiments.pool import LocalWorkers
    from harness.experiments.runner import Runner
    from harness.experiments.store import Store
    from harness.experiments.trial import make_trials

    trials = make_trials(
        scenario(parameters["borrowers"], parameters["blocks"]),
        range(parameters["trials"]),
        "revm",
    )
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with Runner(LocalWorkers(parameters["workers"]), Store(Path(folder))) as runner:
            runner.run(trials)
        return {"total": time.perf_counter() - began}


# --- layers --------------------------------------------------------------------------------------


def _layers(case: dict[str, int]) -> None:
    print("what a kept set-up saves, by what changes between two trials")
    for what, change in [*CHANGES.items(), ("the seed, and with it the population", "")]:
        found = _child("layers", **case, change=change)
        print(
            f"  {what}: {found['spared']:.0f} of {found['set_up']:.0f} set-up transactions, "
            f"{found['saved']:+.1%} of a trial's time"
        )


def _layer_savings(parameters: dict[str, Any]) -> dict[str, float]:
    """Set-ups on a kept engine and on engines of their own, in turns; medians of CPU time."""
    from harness.engine import open_engine
    from harness.engine.layered import Layers
    from harness.run import run, set_up

    plain = scenario(parameters["borrowers"], parameters["blocks"])
    change = parameters["change"]
    changed = scenario(parameters["borrowers"], parameters["blocks"], change) if change else plain
    trial = statistics.median(_timed(partial(run, plain, seed, "revm")) for seed in range(3))
    layers = Layers(partial(open_engine, "revm"))
    saved, spared, executed = [], 0, 0
    for turn in range(31):
        case, seed = (changed if turn % 2 else plain), 0 if change else turn
        blocks = set_up(case, seed)[1].setup.blocks(case.clock.start)
        own = _timed(partial(_stand, open_engine("revm"), blocks))
        before = layers.spared, layers.executed
        kept = _timed(partial(_stand, layers.fresh(), blocks))
        spared, executed = layers.spared - before[0], layers.executed - before[1]
        if turn:  # the first has nothing to find
            saved.append((own - kept) / trial)
    return {
        "saved": statistics.median(saved),
        "spared": spared,
        "set_up": spared + executed,
    }


def _stand(engine: Any, blocks: list[Any]) -> None:
    for block in blocks:
        engine.execute(block)
    engine.snapshot()


def _timed(action: Callable[[], object]) -> float:
    began = time.process_time()
    action()
    return time.process_time() - began


_CHILDREN: dict[str, Callable[[dict[str, Any]], dict[str, float]]] = {
    "trials": _trials,
    "bare": _bare,
    "pool": _pool,
    "layers": _layer_savings,
}


def _child(kind: str, **parameters: Any) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", kind, json.dumps(parameters)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{kind} {parameters} failed:\n{done.stderr}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    raise SystemExit(main())
