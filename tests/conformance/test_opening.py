"""Opening engines, and the accounts and errors they stand on."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import pytest
import rlp
from eth_hash.auto import keccak
from eth_keys.datatypes import PrivateKey

from harness import engine as engines
from harness.accounts import Account, account, create2_address, create_address, find_key
from harness.engine import ENGINES, default_engine, default_engine_name, open_engine
from harness.engine.base import EngineBase
from harness.errors import (
    EngineError,
    HarnessError,
    InvariantViolation,
    Reverted,
    ScenarioError,
    VacuousRun,
)


@pytest.mark.parametrize("spec", ["", "geth", "nowhere:Engine", "harness.engine.base:Nothing"])
def test_unknown_engine_is_bad_input(spec: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        open_engine(spec)
    assert caught.value.field == "engine"
    assert all(name in str(caught.value) for name in ENGINES)


def test_engine_from_outside_is_named_by_module_and_class() -> None:
    assert open_engine("harness.engine.pyevm:PyEvmEngine").name == "py-evm"


def test_default_engine_says_when_it_is_not_the_fast_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    assert default_engine_name() == "py-evm"
    assert default_engine().name == "py-evm"
    assert len(caplog.records) == 1


def test_default_engine_is_silent_where_pyrevm_is_installed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pytest.importorskip("pyrevm")
    assert default_engine().name == "revm"
    assert not caplog.records


def test_heavy_packages_are_imported_by_the_engine_that_needs_them() -> None:
    code = (
        "import sys, harness.engine, harness.accounts, harness.engine.digest;"
        "print([n for n in ('pyrevm', 'eth', 'eth_tester', 'web3') if n in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "[]"


def test_account_address_agrees_with_another_implementation() -> None:
    for index in range(5):
        someone = account("someone", index)
        public = PrivateKey(someone.key).public_key
        assert someone.address == public.to_canonical_address()
        assert find_key(someone.address) == someone.key
    assert account("someone", 0).key == keccak(b"liquidation-harness/someone/0")
    assert find_key(b"\x01" * 20) is None


def test_accounts_are_one_object_per_name_and_index() -> None:
    assert account("a", 3) is account("a", 3)
    assert account("a", 3) == Account("a", 3)
    assert account("a", 3).address != account("a", 4).address
    assert str(account("a", 3)) == "a/3"


@pytest.mark.parametrize("nonce", [0, 1, 127, 128, 255, 256, 1 << 40])
def test_create_address_agrees_with_rlp(nonce: int) -> None:
    sender = account("creator").address
    assert create_address(sender, nonce) == keccak(rlp.encode([sender, nonce]))[12:]


@pytest.mark.parametrize(
    ("factory", "salt", "initcode", "expected"),
    # The examples of EIP-1014
    [
        ("00" * 20, "00" * 32, "00", "4D1A2e2bB4F88F0250f26Ffff098B0b30B26BF38"),
        (
            "deadbeef00000000000000000000000000000000",
            "00" * 32,
            "00",
            "B928f69Bb1D91Cd65274e3c79d8986362984fDA3",
        ),
        (
            "00000000000000000000000000000000deadbeef",
            "00000000000000000000000000000000000000000000000000000000cafebabe",
            "deadbeef",
            "60f3f640a8508fC6a86d45DF051962668E1e8AC7",
        ),
        ("00" * 20, "00" * 32, "", "E33C0C7F7df4809055C3ebA6c09CFe4BaF1BD9e0"),
    ],
)
def test_create2_address_agrees_with_the_standard(
    factory: str, salt: str, initcode: str, expected: str
) -> None:
    found = create2_address(*(bytes.fromhex(part) for part in (factory, salt, initcode)))
    assert found.hex() == expected.lower()


@pytest.mark.parametrize(
    "error",
    [
        ScenarioError("market.ltv_bps", 12_000, "at most 10000"),
        EngineError("gone"),
        Reverted(b"\x01\x02\x03\x04"),
        InvariantViolation("LEND-01", "3 is not 4", 7),
        VacuousRun("nothing was liquidated"),
    ],
)
def test_errors_survive_pickling(error: HarnessError) -> None:
    copy: Any = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_error_texts_name_what_is_wrong() -> None:
    text = str(ScenarioError("market.ltv_bps", 12_000, "at most 10000"))
    assert text == "market.ltv_bps = 12000: at most 10000"
    panic = keccak(b"Panic(uint256)")[:4] + (0x11).to_bytes(32, "big")
    assert str(Reverted(panic)).startswith("Panic(17")
    assert "LEND-01" in str(InvariantViolation("LEND-01", "3 is not 4", 7))
    assert "block 7" in str(InvariantViolation("LEND-01", "3 is not 4", 7))


def test_engine_base_cannot_be_used_alone() -> None:
    with pytest.raises(TypeError):
        EngineBase()  # type: ignore[abstract]
