"""What everybody holds outside their positions: read before the first block and after the last."""

from __future__ import annotations

from typing import NamedTuple

from harness.contracts import Contract, read_words
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
    return tuple(read_words(engine.call(world.lens.address, call)))
