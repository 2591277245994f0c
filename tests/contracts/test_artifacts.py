"""The committed artifacts: deployable, the same on every engine, and made from the sources."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = sorted((ROOT / "harness" / "artifacts").glob("*.json"))
SCRIPT = ROOT / "scripts" / "compile_contracts.py"
CODE_SIZE_LIMIT = 24_576  # EIP-170
FORBIDDEN = {
    0x3A: "GASPRICE",
    0x40: "BLOCKHASH",
    0x41: "COINBASE",
    0x44: "PREVRANDAO",
    0x45: "GASLIMIT",
    0x48: "BASEFEE",
}

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
needs_solc = pytest.mark.skipif(
    shutil.which("node") is None
    or not Path(
        os.environ.get("LIQUIDATION_HARNESS_SOLC", ROOT / "contracts" / "node_modules"), "solc"
    ).exists(),
    reason="needs Node.js, and the compiler that `npm ci` in contracts/ fetches",
)


def _compile(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def _opcodes(code: bytes) -> set[int]:
    """Opcodes up to the unreachable data at the end, if any; push data is passed over."""
    found, at = set(), 0
    while at < len(code):
        opcode = code[at]
        found.add(opcode)
        at += 1 + (opcode - 0x5F if 0x60 <= opcode <= 0x7F else 0)
    return found


def test_there_are_artifacts() -> None:
    assert {"Token", "ConstantProductPool", "WorldLens"} <= {path.stem for path in ARTIFACTS}


@pytest.mark.parametrize("path", ARTIFACTS, ids=lambda path: path.stem)
def test_artifact_is_deployable_and_canonical(path: Path) -> None:
    text = path.read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    assert text == json.dumps(document, indent=1, sort_keys=True) + "\n"
    assert set(document) == {"abi", "bytecode", "contractName", "deployedBytecode"}
    assert document["contractName"] == path.stem
    code = bytes.fromhex(document["deployedBytecode"].removeprefix("0x"))
    assert len(code) < CODE_SIZE_LIMIT
    assert not {FORBIDDEN[opcode] for opcode in _opcodes(code) & FORBIDDEN.keys()}


def test_no_source_asks_for_the_gas_that_is_left() -> None:
    sources = [p for p in (ROOT / "contracts").rglob("*.sol") if "node_modules" not in p.parts]
    assert sources
    assert not [p.name for p in sources if "gasleft" in p.read_text("utf-8")]


@needs_solc
def test_a_contract_compiled_alone_has_the_committed_bytes() -> None:
    result = _compile("--check", "Token", "ConstantProductPool")
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@needs_solc
def test_all_sources_compile_to_the_committed_bytes() -> None:
    result = _compile("--check")
    assert result.returncode == 0, result.stderr
    assert not result.stderr, "the compiler warns"


@needs_node
def test_a_missing_compiler_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    result = _compile(LIQUIDATION_HARNESS_SOLC=str(tmp_path))
    assert result.returncode == 2
    assert "run `npm ci` in" in result.stderr
    assert "Traceback" not in result.stderr


@needs_node
def test_another_compiler_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "solc").mkdir()
    (tmp_path / "solc" / "package.json").write_text('{"version": "0.8.0"}')
    result = _compile("Token", LIQUIDATION_HARNESS_SOLC=str(tmp_path))
    assert result.returncode == 2
    assert "is 0.8.0, contracts/package.json pins" in result.stderr


def test_a_missing_node_is_named(tmp_path: Path) -> None:
    result = _compile(PATH=str(tmp_path))
    assert result.returncode == 2
    assert "node is not on PATH" in result.stderr


def test_an_unknown_name_is_refused() -> None:
    result = _compile("NoSuchContract")
    assert result.returncode == 2
    assert "'NoSuchContract' must name one file" in result.stderr
