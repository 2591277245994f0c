"""Contracts from outside: what compilers write is read, and the example does what it says."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.contracts import Contract, artifact, decode_error, load_artifact
from harness.engine import open_engine
from harness.errors import ScenarioError
from harness.setup import Setup, require_success

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "scripts" / "examples" / "own_lending_market"
PAWN_SHOP = json.loads((EXAMPLE / "PawnShop.json").read_text("utf-8"))["contracts"]["PawnShop.sol"]
ABI = PAWN_SHOP["PawnShop"]["abi"]
CODE = PAWN_SHOP["PawnShop"]["evm"]["bytecode"]["object"]
RUNTIME = PAWN_SHOP["PawnShop"]["evm"]["deployedBytecode"]["object"]
STANDARD = {"abi": ABI, "evm": PAWN_SHOP["PawnShop"]["evm"]}
INTERFACE = {"abi": [], "evm": {"bytecode": {"object": ""}, "deployedBytecode": {"object": ""}}}

FOUNDRY = {
    "abi": ABI,
    "bytecode": {"object": f"0x{CODE}", "sourceMap": "", "linkReferences": {}},
    "deployedBytecode": {"object": f"0x{RUNTIME}", "linkReferences": {}},
    "methodIdentifiers": {},
    "id": 3,
}
HARDHAT = {
    "_format": "hh-sol-artifact-1",
    "contractName": "PawnShop",
    "sourceName": "contracts/PawnShop.sol",
    "abi": ABI,
    "bytecode": f"0x{CODE}",
    "deployedBytecode": f"0x{RUNTIME}",
    "linkReferences": {},
}
SOLC_STANDARD = {
    "contracts": {"src/PawnShop.sol": {"PawnShop": STANDARD, "IFeed": INTERFACE}},
    "sources": {"src/PawnShop.sol": {"id": 0}},
}
COMBINED = {
    "contracts": {
        "src/PawnShop.sol:PawnShop": {"abi": ABI, "bin": CODE, "bin-runtime": RUNTIME},
        "src/PawnShop.sol:IFeed": {"abi": [], "bin": "", "bin-runtime": ""},
    },
    "version": "0.8.30",
}
COMBINED_TEXT = {
    "contracts": {"PawnShop.sol:PawnShop": {"abi": json.dumps(ABI), "bin": CODE}},
}
BUILD_INFO = {"id": "1", "solcVersion": "0.8.30", "input": {}, "output": SOLC_STANDARD}


def write(folder: Path, content: Any, name: str = "PawnShop.json") -> Path:
    file = folder / name
    file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return file


@pytest.mark.parametrize(
    "document",
    [FOUNDRY, HARDHAT, SOLC_STANDARD, COMBINED, COMBINED_TEXT, BUILD_INFO],
    ids=["foundry", "hardhat", "standard", "combined", "combined-text", "build-info"],
)
def test_every_compilers_json_gives_the_same_contract(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    found = load_artifact(write(tmp_path, document))
    assert (found.name, found.bytecode.hex()) == ("PawnShop", CODE)
    assert found.functions["liquidate"].signature == "liquidate(address,uint256)"
    assert load_artifact(tmp_path / "PawnShop.json", "PawnShop").bytecode == found.bytecode


def test_our_own_artifacts_are_read_too(tmp_path: Path) -> None:
    path = ROOT / "harness" / "artifacts" / "Token.json"
    assert load_artifact(path).bytecode == artifact("Token").bytecode


def test_one_of_several_contracts_is_named(tmp_path: Path) -> None:
    both = {"a.sol": {"PawnShop": STANDARD}, "b.sol": {"PawnShop": STANDARD}}
    file = write(tmp_path, {"contracts": both})
    with pytest.raises(ScenarioError, match=r"a\.sol:PawnShop, b\.sol:PawnShop"):
        load_artifact(file)
    with pytest.raises(ScenarioError, match="one of its contracts"):
        load_artifact(file, "PawnShop")
    assert load_artifact(file, "b.sol:PawnShop").name == "PawnShop"
    assert load_artifact(EXAMPLE / "PawnShop.json", "PawnShopFixed").name == "PawnShopFixed"


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("{", None, "a JSON file"),
        ("[]", None, "JSON of Foundry, Hardhat or solc"),
        ('"abi"', None, "JSON of Foundry, Hardhat or solc"),
        ("3", None, "JSON of Foundry, Hardhat or solc"),
        ({}, None, "JSON of Foundry, Hardhat or solc"),
        ({"contracts": {}}, None, "the name of one of its contracts: none"),
        ({"contracts": {"a.sol": 3}}, None, "JSON of Foundry, Hardhat or solc"),
        (HARDHAT | {"bytecode": "0x"}, None, "a contract with bytecode, not an interface"),
        ({"abi": ABI}, None, "a contract with bytecode, not an interface"),
        (SOLC_STANDARD, "IFeed", "a contract with bytecode, not an interface"),
        (SOLC_STANDARD, "Nothing", "one of its contracts: src/PawnShop.sol:PawnShop"),
        (HARDHAT | {"bytecode": f"0x{CODE[:40]}__$1234$__"}, None, "every library linked"),
        (HARDHAT | {"bytecode": "0xnothex"}, None, "a sound ABI and bytecode"),
        (HARDHAT | {"abi": [{"type": "function"}]}, None, "a sound ABI and bytecode"),
        (HARDHAT | {"abi": "what"}, None, "JSON of Foundry, Hardhat or solc"),
        (HARDHAT | {"abi": 3}, None, "a sound ABI and bytecode"),
    ],
)
def test_bad_artifact_is_refused_in_one_line(
    tmp_path: Path, content: Any, name: str | None, message: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        load_artifact(write(tmp_path, content), name)
    assert message in str(caught.value)
    assert "PawnShop.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable_artifact_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(ScenarioError, match="a readable file"):
            load_artifact(path)
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="a JSON file"):
        load_artifact(binary)


def test_loaded_contract_is_deployed_and_its_errors_are_named() -> None:
    compiled = load_artifact(EXAMPLE / "PawnShop.json", "PawnShop")
    setup = Setup()
    nobody = bytes(20)
    shop = setup.deploy("PawnShop", nobody, nobody, nobody, nobody, 6, 18, compiled=compiled)
    assert isinstance(shop, Contract)
    engine = open_engine("revm")
    for block in setup.blocks(1_700_000_000):
        require_success(block, engine.execute(block))
    assert shop.read(engine, "totalDebt") == 0
    assert shop.read(engine, "indexes") == (10**27, 10**27)
    engine.close()
    (selector,) = compiled.errors
    _, codec = compiled.errors[selector]
    assert decode_error(selector + codec.encode(("no cash",))) == "Refused(no cash)"


def test_example_finds_its_bug_and_its_twin_passes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider"],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "does not hold at block" in done.stdout
    assert "state.liquidate(" in done.stdout


def test_example_is_small() -> None:
    adapter = (EXAMPLE / "pawn_shop.py").read_text("utf-8").splitlines()
    assert len(adapter) < 60
    assert len((EXAMPLE / "PawnShop.sol").read_text("utf-8").splitlines()) < 180


def test_policy_of_the_example_keeps_what_every_policy_has_to() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=EXAMPLE.parent / "own_deleveraging_policy",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "15 passed, 1 skipped" in done.stdout


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("own_lending_market", ("PawnShop", "PawnShopFixed")),
        ("own_deleveraging_policy", ("LeverageFirst",)),
    ],
)
def test_example_is_compiled_from_its_source(folder: str, names: tuple[str, ...]) -> None:
    spec = importlib.util.spec_from_file_location(
        "compile_contracts", ROOT / "scripts" / "compile_contracts.py"
    )
    assert spec is not None
    assert spec.loader is not None
    compiler = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compiler)
    try:
        compiler.find_solc(), compiler.find_node()
    except compiler.InputError as error:
        pytest.skip(str(error))
    source = EXAMPLE.parent / folder / f"{names[0]}.sol"
    output = compiler.run_solc({source.name: source.read_text("utf-8")})["contracts"]
    kept = json.loads(source.with_suffix(".json").read_text("utf-8"))["contracts"]
    for name in names:
        found, committed = output[source.name][name], kept[source.name][name]
        assert found["abi"] == committed["abi"]
        assert found["evm"]["bytecode"]["object"] == committed["evm"]["bytecode"]["object"]
