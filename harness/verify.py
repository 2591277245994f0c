"""Verification of a run directory: the recorded transactions again, on any engine.

``replay`` executes what was recorded and compares every block's digest, and at the end the run's.
``rerun`` starts from the scenario and the seed instead, agents and all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.engine.base import Block, Engine, Transaction
from harness.engine.digest import DigestChain
from harness.errors import ScenarioError
from harness.results import SCENARIO, read_manifest
from harness.run import run, set_up
from harness.scenario import load_scenario


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found.

    Attributes:
        blocks: how many blocks were compared, set-up included
        digest: the run's digest as recorded
        differs_at: chain number of the first block whose digest differs; 0 if only the final
            state does; None if nothing does
    """

    blocks: int
    digest: str
    differs_at: int | None


def check_files(path: Path) -> dict[str, Any]:
    """The manifest of a complete run whose files are as they were written.

    Raises ScenarioError naming the first file that is missing or changed.
    """
    manifest = read_manifest(path)
    for name, expected in manifest["files"].items():
        file = path / name
        if not file.is_file():
            raise ScenarioError("run directory", str(file), "the file that was written")
        if hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            raise ScenarioError(
                "run directory", str(file), f"a file with SHA-256 {expected}, as it was written"
            )
    return manifest


def replay(path: Path, engine: Engine) -> Verdict:
    """Executes the recorded transactions on a fresh engine and compares digests.

    Raises:
        ScenarioError: the directory is not that of a complete, unchanged run.
        EngineError: the engine failed.
    """
    import pyarrow.parquet as pq

    manifest = check_files(path)
    _derive_accounts(path, manifest["seed"])
    blocks = pq.read_table(path / "blocks.parquet", columns=["number", "timestamp", "digest"])
    recorded = blocks.to_pydict()
    transactions = _transactions(path)
    digests = DigestChain()
    for number, timestamp, digest in zip(
        recorded["number"], recorded["timestamp"], recorded["digest"], strict=True
    ):
        block = Block(number, timestamp, tuple(transactions.get(number, ())))
        if digests.add(block, engine.execute(block)) != digest:
            return Verdict(len(recorded["number"]), manifest["digest"], number)
    reads = pq.read_table(path / "final_reads.parquet").to_pydict()
    final = digests.finish(
        engine.call(to, data) for to, data in zip(reads["to"], reads["data"], strict=True)
    )
    same = "0x" + final.hex() == manifest["digest"]
    return Verdict(len(recorded["number"]), manifest["digest"], None if same else 0)


def rerun(path: Path, engine: Engine) -> Verdict:
    """Runs the recorded scenario and seed again and compares digests.

    Raises as ``replay`` does.
    """
    import pyarrow.parquet as pq

    manifest = check_files(path)
    result = run(load_scenario(path / SCENARIO), manifest["seed"], engine)
    table = pq.read_table(path / "blocks.parquet", columns=["number", "digest"]).to_pydict()
    again = [*result.setup_digests, *(block.digest for block in result.run.blocks)]
    differs = _first_difference(table["number"], table["digest"], again)
    if differs is None and result.summary["digest"] != manifest["digest"]:
        differs = 0
    return Verdict(len(table["number"]), manifest["digest"], differs)


def _first_difference(
    numbers: Sequence[int], recorded: Sequence[bytes], again: Sequence[bytes]
) -> int | None:
    for number, one, other in zip(numbers, recorded, again, strict=False):
        if one != other:
            return number
    return None if len(recorded) == len(again) else numbers[min(len(recorded), len(again)) - 1]


def _derive_accounts(path: Path, seed: int) -> None:
    """Engines that sign transactions need the senders' keys, which follow from their names."""
    set_up(load_scenario(path / SCENARIO), seed)


def _transactions(path: Path) -> dict[int, list[Transaction]]:
    """The executed transactions by block, in order."""
    import pyarrow.parquet as pq

    names = ["block", "place", "sender", "to", "data"]
    columns = pq.read_table(path / "transactions.parquet", columns=names).to_pydict()
    by_block: dict[int, list[Transaction]] = {}
    for block, place, sender, to, data in zip(*(columns[name] for name in names), strict=True):
        if place >= 0:
            by_block.setdefault(block, []).append(Transaction(sender, to, data))
    return by_block
