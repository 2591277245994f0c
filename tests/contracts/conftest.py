"""Real contracts on a real engine, with as little ceremony as a test needs."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.accounts import account, create2_address, create_address
from harness.contracts import Artifact, Contract, artifact
from harness.engine import Block, Engine, Receipt, Transaction, anchor
from harness.errors import Reverted

UNLIMITED = (1 << 256) - 1


class Chain:
    """A chain that grows by one block, of one transaction, for every `send`.

    The clock stands still unless told otherwise: each block is one second after the last.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.number = 0
        self.now = 1_700_000_000
        self._salt = 0
        deployer = account("deployer").address
        self._deployer = deployer
        self._factory = Contract("Create2Factory", create_address(deployer, 0))
        self._transact(Transaction(deployer, b"", artifact("Create2Factory").initcode()), 1)

    def address(self, name: str, index: int = 0) -> bytes:
        """Address of an account without code."""
        return account(name, index).address

    def deploy(self, name: str, *args: Any, compiled: Artifact | None = None) -> Contract:
        """Deploy a contract by CREATE2."""
        code = (compiled or artifact(name)).initcode(*args)
        salt = self._salt.to_bytes(32, "big")
        self._salt += 1
        self.send(self._deployer, self._factory, "deploy", salt, code)
        return Contract(name, create2_address(self._factory.address, salt, code), compiled)

    def send(
        self, sender: bytes, to: Contract, function: str, *args: Any, after: int = 1
    ) -> Receipt:
        """Execute a call in a block `after` seconds later than the last; Reverted if it fails."""
        return self.send_data(sender, to.address, to.encode(function, *args), after=after)

    def send_data(self, sender: bytes, to: bytes, data: bytes, *, after: int = 1) -> Receipt:
        """Execute call data."""
        return self._transact(Transaction(sender, to, data), after)

    def send_block(self, calls: Sequence[tuple[Any, ...]], after: int = 1) -> list[Receipt]:
        """Execute (sender, contract, function, *args) calls in one block; Reverted if one fails."""
        receipts = self._block(
            tuple(
                Transaction(sender, to.address, to.encode(function, *args))
                for sender, to, function, *args in calls
            ),
            after,
        )
        for receipt in receipts:
            if not receipt.status:
                raise Reverted(receipt.output or b"")
        return receipts

    @contextmanager
    def anchor(self) -> Iterator[None]:
        """Undo on exit whatever the body executes."""
        number, now = self.number, self.now
        with anchor(self.engine):
            yield
        self.number, self.now = number, now

    def wait(self, seconds: int) -> None:
        """Let time pass: an empty block, `seconds` after the last."""
        self._block((), seconds)

    def read(self, contract: Contract, function: str, *args: Any) -> Any:
        """What a view returns at the last block."""
        data = self.engine.call(contract.address, contract.encode(function, *args))
        return contract.decode(function, data)

    def token(self, symbol: str, decimals: int = 18) -> Contract:
        """A token that the account "minter" may mint."""
        return self.deploy("Token", symbol, symbol, decimals, self.address("minter"))

    def mint(self, token: Contract, to: bytes, amount: int) -> None:
        """Give `amount` wei to an account."""
        self.send(self.address("minter"), token, "mint", to, amount)

    def approve(self, owner: bytes, token: Contract, spender: Contract) -> None:
        """Let a contract take whatever an account owns."""
        self.send(owner, token, "approve", spender.address, UNLIMITED)

    def balance(self, token: Contract, holder: bytes | Contract) -> int:
        """Balance in wei."""
        address = holder.address if isinstance(holder, Contract) else holder
        return int(self.read(token, "balanceOf", address))

    def pool(
        self, token0: Contract, token1: Contract, reserve0: int, reserve1: int, fee_pips: int = 3000
    ) -> Contract:
        """A pool with these reserves, whose LP tokens belong to the account "lp"."""
        pool = self.deploy("ConstantProductPool", token0.address, token1.address, fee_pips)
        self.mint(token0, pool.address, reserve0)
        self.mint(token1, pool.address, reserve1)
        self.send(self.address("lp"), pool, "mint", self.address("lp"))
        return pool

    def reserves(self, pool: Contract) -> tuple[int, int]:
        """Both reserves in wei."""
        reserve0, reserve1, _ = self.read(pool, "getReserves")
        return reserve0, reserve1

    @contextmanager
    def reverts(self, error: str, *args: Any) -> Iterator[None]:
        """The body must revert with this Solidity error; with these arguments where any are given.

        An address is 20 bytes, a contract stands for its address.
        """
        with pytest.raises(Reverted) as caught:
            yield
        found = str(caught.value)
        if args:
            raw = [arg.address if isinstance(arg, Contract) else arg for arg in args]
            shown = [f"0x{arg.hex()}" if isinstance(arg, bytes) else str(arg) for arg in raw]
            assert found == f"{error}({', '.join(shown)})"
        else:
            assert found.partition("(")[0] == error

    def _transact(self, transaction: Transaction, after: int) -> Receipt:
        (receipt,) = self._block((transaction,), after)
        if not receipt.status:
            raise Reverted(receipt.output or b"")
        return receipt

    def _block(self, transactions: tuple[Transaction, ...], after: int) -> list[Receipt]:
        self.number += 1
        self.now += after
        return self.engine.execute(Block(self.number, self.now, transactions))


@pytest.fixture
def chain(engine: Engine) -> Chain:
    """A fresh chain on the engine that ``--harness-engine`` names."""
    return Chain(engine)


@pytest.fixture
def rng() -> random.Random:
    """Random numbers from the seed HARNESS_TEST_SEED, printed when a test fails."""
    seed = int(os.environ.get("HARNESS_TEST_SEED", "20261121"))
    print(f"HARNESS_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture(scope="session")
def npm_package() -> Callable[[str, str, str], Path]:
    """Where a published npm package lies unpacked: fetched once, checked, never committed.

    The cache is $XDG_CACHE_HOME/liquidation-harness/npm (~/.cache by default). The test is skipped
    where npm or the registry is out of reach, and fails where the package is not the one expected.
    """

    def fetch(name: str, version: str, integrity: str) -> Path:
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        cache = cache / "liquidation-harness" / "npm"
        archive = cache / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
        if not archive.exists():
            npm = shutil.which("npm")
            if npm is None:
                pytest.skip("npm is not on PATH: install Node.js to compare with the real bytecode")
            cache.mkdir(parents=True, exist_ok=True)
            command = [npm, "pack", f"{name}@{version}", "--pack-destination", str(cache)]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode != 0:
                pytest.skip(f"npm cannot fetch {name}@{version}: {result.stderr.strip()[-200:]}")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        assert f"sha512-{digest}" == integrity, f"{archive} is not {name}@{version}: remove it"
        unpacked = archive.with_suffix("")
        if not (unpacked / "package").is_dir():
            with tarfile.open(archive) as tar:
                tar.extractall(unpacked, filter="data")
        return unpacked / "package"

    return fetch
