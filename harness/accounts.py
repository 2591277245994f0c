"""Accounts derived from a name, and the addresses of what they create.

An account's key is ``keccak256("liquidation-harness/<name>/<index>")``, so every run, process and
machine agrees on every address. The keys are public knowledge: never send anything of value to
them on a public chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

from coincurve import PublicKey
from eth_hash.auto import keccak

__all__ = ["DEPLOYER", "Account", "account", "create2_address", "create_address", "find_key"]

_KEYS: dict[bytes, bytes] = {}


@dataclass(frozen=True)
class Account:
    """An externally owned account. Prefer `account`, which keeps one object per name and index.

    Attributes:
        name: what the account is for, such as ``borrower``.
        index: which one of its name, from 0.

    """

    name: str
    index: int = 0

    @cached_property
    def key(self) -> bytes:
        """Private key, 32 bytes."""
        return keccak(f"liquidation-harness/{self.name}/{self.index}".encode())

    @cached_property
    def address(self) -> bytes:
        """Address, 20 bytes: the tail of the keccak of the uncompressed public key."""
        public = PublicKey.from_secret(self.key).format(compressed=False)
        address = keccak(public[1:])[12:]
        _KEYS[address] = self.key
        return address

    def __str__(self) -> str:
        return f"{self.name}/{self.index}"


@cache
def account(name: str, index: int = 0) -> Account:
    """The account of this name and index; the same object every time."""
    return Account(name, index)


def find_key(address: bytes) -> bytes | None:
    """The private key of an account whose address this process has derived, else None."""
    return _KEYS.get(address)


def create_address(sender: bytes, nonce: int) -> bytes:
    """Address of the contract that ``sender`` creates with this nonce (Yellow Paper, eq. 90)."""
    count = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    if len(count) != 1 or nonce > 0x7F:
        count = bytes([0x80 + len(count)]) + count
    payload = b"\x94" + sender + count
    return keccak(bytes([0xC0 + len(payload)]) + payload)[12:]


def create2_address(factory: bytes, salt: bytes, initcode: bytes) -> bytes:
    """Address of the contract that ``factory`` creates with CREATE2 (EIP-1014)."""
    return keccak(b"\xff" + factory + salt + keccak(initcode))[12:]


DEPLOYER = account("deployer", 0)
"""Makes one creation in its life, the CREATE2 factory: nonce 0, first transaction of block 1."""
