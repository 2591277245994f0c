"""``harness verify``: what it accepts, and how it names what it does not."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.cli import main
from harness.engine import default_engine_name

from .conftest import CRASH, Cli, one_line


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run made on the default engine."""
    folder = tmp_path_factory.mktemp("made") / "run"
    assert main(["run", CRASH, "--seed", "4", "--out", str(folder), "-q"]) == 0
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def blocks_of(run: Path) -> list[dict[str, object]]:
    return list(pq.read_table(run / "blocks.parquet").to_pylist())


def reseal(run: Path, *names: str) -> None:
    """Makes the manifest agree with changed files, as a careful forger would."""
    manifest = json.loads((run / "manifest.json").read_text())
    for name in names:
        manifest["files"][name] = hashlib.sha256((run / name).read_bytes()).hexdigest()
    (run / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("engine", ["py-evm", pytest.param("eth-tester", marks=pytest.mark.slow)])
def test_a_run_verifies_on_another_engine(engine: str, cli: Cli, tmp_path: Path) -> None:
    run = tmp_path / "short"
    few = ("--set", "clock.blocks=14", "--set", "population.borrowers.count=8")
    assert cli("run", CRASH, *few, "--out", run, "-q").code == 0
    outcome = cli("verify", run, "--engine", engine)
    digest = json.loads((run / "manifest.json").read_text())["digest"]
    assert outcome.code == 0, outcome.err
    assert outcome.out == (
        f"verified: {len(blocks_of(run))} blocks, set-up included, are equal on {engine}\n"
        f"digest {digest}\n"
    )


def test_a_rerun_verifies_agents_and_all(cli: Cli, run: Path) -> None:
    assert cli("verify", run, "--rerun", "-q") == (0, "", "")


def test_json_says_what_was_verified(cli: Cli, run: Path) -> None:
    verdict = cli("verify", run, "--json", "--engine", default_engine_name()).json()
    assert verdict == {
        "verified": True,
        "engine": default_engine_name(),
        "blocks": len(blocks_of(run)),
        "digest": json.loads((run / "manifest.json").read_text())["digest"],
        "differs_at": None,
    }


@pytest.mark.parametrize("name", ["transactions.parquet", "summary.json", "scenario.toml"])
def test_a_changed_or_missing_file_is_named(name: str, cli: Cli, run: Path) -> None:
    content = (run / name).read_bytes()
    (run / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert str(run / name) in one_line(cli("verify", run), 2)
    (run / name).unlink()
    assert str(run / name) in one_line(cli("verify", run, "--rerun"), 2)


def test_a_changed_transaction_is_found_in_its_block(cli: Cli, run: Path) -> None:
    table = pq.read_table(run / "transactions.parquet")
    rows = table.to_pylist()
    changed = next(i for i, row in enumerate(rows) if row["action"] == "publish")
    rows[changed]["data"] = rows[changed]["data"][:-1] + b"\x01"
    pq.write_table(pa.Table.from_pylist(rows, table.schema), run / "transactions.parquet")
    reseal(run, "transactions.parquet")
    block = rows[changed]["block"]
    complaint = one_line(cli("verify", run), 1)
    assert complaint.endswith(f": block {block} is the first that differs")
    verdict = cli("verify", run, "--json").json()
    assert (verdict["verified"], verdict["differs_at"]) == (False, block)


def test_a_dropped_transaction_is_found_in_its_block(cli: Cli, run: Path) -> None:
    table = pq.read_table(run / "transactions.parquet")
    place = next(i for i, row in enumerate(table.to_pylist()) if row["action"] == "liquidate")
    block = table["block"][place].as_py()
    kept = pa.concat_tables([table.slice(0, place), table.slice(place + 1)])
    pq.write_table(kept, run / "transactions.parquet")
    reseal(run, "transactions.parquet")
    assert f"block {block} " in one_line(cli("verify", run), 1)


def test_a_changed_seed_is_found_by_a_rerun_only(cli: Cli, run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"seed": 5}))
    assert "is the first that differs" in one_line(cli("verify", run, "--rerun"), 1)


def test_a_changed_final_digest_is_found(cli: Cli, run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"digest": "0x" + "11" * 32}))
    complaint = one_line(cli("verify", run), 1)
    assert complaint.endswith("every block is equal, the state at the end is not")


def test_what_is_not_a_run_is_refused(cli: Cli, run: Path, tmp_path: Path) -> None:
    assert "no manifest.json" in one_line(cli("verify", tmp_path / "nowhere"), 2)
    assert "no manifest.json" in one_line(cli("verify", tmp_path), 2)
    assert "no manifest.json" in one_line(cli("verify", CRASH), 2)
    manifest = run / "manifest.json"
    original = json.loads(manifest.read_text())
    for spoilt in ("", "[]", "{", json.dumps(original | {"schema": 2}), '{"status": "complete"}'):
        manifest.write_text(spoilt)
        assert str(run) in one_line(cli("verify", run), 2)
    shutil.rmtree(run)
    assert str(run) in one_line(cli("verify", run), 2)
