"""Signed transactions for the engines that take nothing else."""

from __future__ import annotations

import rlp
from coincurve import PrivateKey
from eth_hash.auto import keccak

from harness.engine.base import TRANSACTION_GAS

__all__ = ["sign"]


def sign(key: bytes, nonce: int, to: bytes, data: bytes, chain_id: int) -> bytes:
    """A raw legacy transaction with replay protection (EIP-155): no value, gas price 0."""
    fields = [nonce, 0, TRANSACTION_GAS, to, 0, data]
    digest = keccak(rlp.encode([*fields, chain_id, 0, 0]))
    signature = PrivateKey(key).sign_recoverable(digest, hasher=None)
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:64], "big")
    raw: bytes = rlp.encode([*fields, chain_id * 2 + 35 + signature[64], r, s])
    return raw
