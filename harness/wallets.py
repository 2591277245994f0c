"""What everybody holds outside their positions: read before the first block and after the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.contracts import WORD, Contract
from harness.engine.base import Engine
from harness.world import World


class Wallets(NamedTuple):
    """Base units at one block.

    Attributes:
        tokens: balances of all who can hold a token (`World.holders`), by asset
        fees: what the fee ledger holds for each of them
        suppliers: claims << 128 | debt of each supplier in each asset, by venue
    """

    tokens: dict[str, tuple[int, ...]]
    fees: tuple[int, ...]
    suppliers: dict[str, tuple[int, ...]]


def read_wallets(engine: Engine, world: World) -> Wallets:
    """Everybody's holdings at the last block."""
    return Wallets(
        {symbol: _held(engine, world, token) for symbol, token in world.tokens.items()},
        _held(engine, world, world.fee_ledger),
        {
            name: tuple(venue.words_of(engine, venue.suppliers))
            for name, venue in world.venues.items()
        },
    )


def _held(engine: Engine, world: World, token: Contract) -> tuple[int, ...]:
    call = world.lens.encode("balances", token.address, list(world.holders))
    return _integers(engine.call(world.lens.address, call))


def _integers(data: bytes) -> tuple[int, ...]:
    words: Sequence[int] = range(2 * WORD, len(data), WORD)
    return tuple(int.from_bytes(data[at : at + WORD], "big") for at in words)
