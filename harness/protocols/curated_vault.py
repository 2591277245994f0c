"""Curated vaults: set-up, and what is read of them after every block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from harness.accounts import account
from harness.contracts import Contract, read_words
from harness.engine.base import Engine
from harness.protocols.isolated_lending import IsolatedLendingVenue
from harness.protocols.pooled_lending import PooledLendingVenue
from harness.scenario import BPS, Vault, base_units
from harness.setup import Setup


class VaultState(NamedTuple):
    """A vault after a block; base units of its asset, and of its shares.

    ``liquidity`` is what it could pay out; ``worth`` what its part of each strategy is worth, and
    ``lost`` what that has lost and nobody has covered, net of interest since it was last touched,
    when it was worth what is ``noted``.
    """

    assets: int
    shares: int
    idle: int
    liquidity: int
    worth: tuple[int, ...]
    lost: tuple[int, ...]
    noted: tuple[int, ...]

    def assets_down(self, shares: int) -> int:
        """What shares are worth, in the vault's asset."""
        return shares * self.assets // self.shares if self.shares else shares

    def shares_down(self, assets: int) -> int:
        """Shares worth so much of the vault's asset."""
        return assets * self.shares // self.assets if self.assets else 0

    def payable_shares(self) -> int:
        """Shares it could pay for in the next block, in which a share may be worth a little
        more."""
        return min(self.shares, self.shares_down(self.liquidity) * (BPS - 1) // BPS)


@dataclass(frozen=True)
class VaultHandle:
    """A deployed vault.

    Attributes:
        spec: what the scenario says of it
        vault: the contract, which is the token of its shares
        strategies: the receipt vaults through which it lends, in the order of ``spec.markets``
        curator: who moves its assets
        passive: who has the shares that nobody else has by the scenario
    """

    spec: Vault
    vault: Contract
    strategies: tuple[Contract, ...]
    curator: bytes
    passive: bytes

    @property
    def markets(self) -> tuple[str, ...]:
        """The markets it lends to, as its strategies are numbered."""
        return tuple(market.venue for market in self.spec.markets)

    def final_reads(self) -> list[tuple[bytes, bytes]]:
        """The reads whose return values close a run's digest."""
        vault = self.vault
        names = ("totalAssets", "totalSupply", "idle")
        return [(vault.address, vault.encode(name)) for name in names]


class VaultReader:
    """Reads all vaults of a world in one call."""

    def __init__(self, lens: Contract, vaults: Mapping[str, VaultHandle]) -> None:
        self._lens = lens
        self._widths = {name: len(vault.strategies) for name, vault in vaults.items()}
        self._call = lens.encode("read", [vault.vault.address for vault in vaults.values()])

    def read(self, engine: Engine) -> dict[str, VaultState]:
        """Every vault at the last block, by name."""
        left = iter(read_words(engine.call(self._lens.address, self._call)))
        found = {}
        for name, width in self._widths.items():
            books = [next(left) for _ in range(4)]
            parts = [next(left) for _ in range(3 * width)]
            worth, lost, noted = (tuple(parts[first::3]) for first in range(3))
            found[name] = VaultState(books[0], books[1], books[2], books[3], worth, lost, noted)
        return found


def deploy_vault(
    setup: Setup,
    spec: Vault,
    venues: Mapping[str, PooledLendingVenue],
    tokens: Mapping[str, Contract],
    decimals: Mapping[str, int],
    *,
    mint: Callable[[str, bytes, int], None],
    approve: Callable[[str, bytes, Contract], None],
    seeder: bytes,
) -> VaultHandle:
    """Deploys a vault and its strategies, and lends its deposits; all shares are the seeder's."""
    places, asset = decimals[spec.asset], tokens[spec.asset].address
    curator = account(spec.curator).address
    strategies = []
    for each in spec.markets:
        venue = venues[each.venue]
        label = f"{spec.asset} of {each.venue}"
        kind = "PooledReceiptVault"
        terms: tuple[bytes, ...] = (venue.market.address, asset)
        if isinstance(venue, IsolatedLendingVenue):
            kind, terms = "IsolatedReceiptVault", (venue.market.address,)
        strategies.append(setup.deploy(kind, *terms, False, label, label))
        venue.suppliers += (strategies[-1].address,)
    addresses = [strategy.address for strategy in strategies]
    vault = setup.deploy("CuratedVault", asset, curator, addresses, spec.name, spec.share)
    amounts = [base_units(market.supplied, places) for market in spec.markets]
    deposits = sum(amounts) + base_units(spec.idle, places)
    mint(spec.asset, seeder, deposits)
    approve(spec.asset, seeder, vault)
    setup.send(seeder, vault, "deposit", deposits, seeder)
    for number, amount in enumerate(amounts):
        if amount:
            setup.send(curator, vault, "allocate", number, amount)
    passive = account(spec.depositors).address
    return VaultHandle(spec, vault, tuple(strategies), curator, passive)


def deposits_of(spec: Vault, decimals: Mapping[str, int]) -> int:
    """Shares there are at the start, base units."""
    places = decimals[spec.asset]
    parts = [market.supplied for market in spec.markets] + [spec.idle]
    return sum(base_units(part, places) for part in parts)


__all__ = [
    "VaultHandle",
    "VaultReader",
    "VaultState",
    "deploy_vault",
    "deposits_of",
]
