"""Who holds what, token by token, claims and debts included, read from the chain.

A party's holdings are its token balances, its claims, and less its debts. A venue's own are the
tokens it keeps, what it is owed, and less what it owes: over everybody, each token sums to its
supply. USD amounts are integers of 1e-26 USD (`E26`): base units x an 8-decimal price x
10^(18 - decimals), so that nothing is rounded.

Nobody pays in for a position that owes more than it has: to its owner it is worth nothing, and what
is missing is the venue's insolvency. The attackers' accounts at a venue count as one position: what
one of them owes is set against what another may claim, so that a profit is what they got away with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.contracts import Contract
from harness.engine.base import Engine

__all__ = [
    "E26",
    "Claims",
    "FeeClaims",
    "Holdings",
    "IsolatedClaims",
    "PooledClaims",
    "Snapshot",
    "Valuer",
    "VaultShares",
]

E26 = 10**26
_HALF = (1 << 128) - 1

#: signed base units by token symbol
Holdings = dict[str, int]


class Claims(Protocol):
    """What a venue owes to accounts, and they to it."""

    name: str

    def held(self, engine: Engine, accounts: Sequence[bytes]) -> list[Holdings]:
        """Of each account: claims less debts."""
        ...

    def own(self, engine: Engine, accounts: Sequence[bytes]) -> Holdings:
        """The venue's: what it is owed less what it owes; `accounts` where it keeps no total."""
        ...

    def written_off(self, engine: Engine) -> Holdings:
        """Debts nobody owes any more and nobody has paid for."""
        ...


@dataclass
class PooledClaims:
    """A pooled market: ``symbols`` by asset id."""

    name: str
    market: Contract
    tokens: Mapping[str, Contract]

    def held(self, engine: Engine, accounts: Sequence[bytes]) -> list[Holdings]:
        """See `Claims.held`."""
        found = []
        for account in accounts:
            words = self.market.read(engine, "position", account)
            found.append(
                {
                    symbol: (word >> 128) - (word & _HALF)
                    for symbol, word in zip(self.tokens, words, strict=True)
                    if word
                }
            )
        return found

    def own(self, engine: Engine, accounts: Sequence[bytes]) -> Holdings:
        """See `Claims.own`."""
        own = {}
        for symbol, token in self.tokens.items():
            _, claims, debt = self.market.read(engine, "assetState", token.address)
            own[symbol] = debt - claims
        return own

    def written_off(self, engine: Engine) -> Holdings:
        """See `Claims.written_off`."""
        return {
            symbol: self.market.read(engine, "assetState", token.address)[0][2]
            for symbol, token in self.tokens.items()
        }


@dataclass
class IsolatedClaims:
    """An isolated market. Bad debt is at once its suppliers' loss: none is left to cover."""

    name: str
    market: Contract
    collateral: str
    debt: str

    def held(self, engine: Engine, accounts: Sequence[bytes]) -> list[Holdings]:
        """See `Claims.held`."""
        assets, shares, owed, owed_shares, _ = self.market.read(engine, "marketState")
        found = []
        for account in accounts:
            supplied, borrowed, collateral = self.market.read(engine, "position", account)
            claim = supplied * (assets + 1) // (shares + 10**6)
            debt = -(-borrowed * (owed + 1) // (owed_shares + 10**6))
            found.append({self.collateral: collateral, self.debt: claim - debt})
        return found

    def own(self, engine: Engine, accounts: Sequence[bytes]) -> Holdings:
        """See `Claims.own`; collateral is never the market's, so all of it is owed."""
        assets, _, owed, _, _ = self.market.read(engine, "marketState")
        collateral = sum(self.market.read(engine, "position", who)[2] for who in accounts)
        return {self.debt: owed - assets, self.collateral: -collateral}

    def written_off(self, engine: Engine) -> Holdings:
        """See `Claims.written_off`."""
        return {}


@dataclass
class VaultShares:
    """A vault: its shares are tokens that it owes."""

    name: str
    vault: Contract
    shares: str

    def held(self, engine: Engine, accounts: Sequence[bytes]) -> list[Holdings]:
        """See `Claims.held`: shares are counted with the tokens."""
        return [{} for _ in accounts]

    def own(self, engine: Engine, accounts: Sequence[bytes]) -> Holdings:
        """See `Claims.own`."""
        return {self.shares: -self.vault.read(engine, "totalSupply")}

    def written_off(self, engine: Engine) -> Holdings:
        """See `Claims.written_off`."""
        return {}


@dataclass
class FeeClaims:
    """What is deposited for fees, and what the builders have earned."""

    name: str
    ledger: Contract
    token: str

    def held(self, engine: Engine, accounts: Sequence[bytes]) -> list[Holdings]:
        """See `Claims.held`."""
        return [{self.token: self.ledger.read(engine, "balanceOf", who)} for who in accounts]

    def own(self, engine: Engine, accounts: Sequence[bytes]) -> Holdings:
        """See `Claims.own`: it owes the deposits, and the collector what was charged."""
        owed = self.ledger.read(engine, "totalBalance")
        return {self.token: -owed}

    def written_off(self, engine: Engine) -> Holdings:
        """See `Claims.written_off`."""
        return {}


@dataclass(frozen=True)
class Valuer:
    """USD of base units at one price vector. prices: 8 decimals, by symbol; decimals of tokens."""

    prices: Mapping[str, int]
    decimals: Mapping[str, int]

    def worth(self, held: Mapping[str, int]) -> int:
        """E26 of signed holdings."""
        return sum(
            amount * self.prices[symbol] * 10 ** (18 - self.decimals[symbol])
            for symbol, amount in held.items()
        )


@dataclass
class Snapshot:
    """Everybody's holdings after one block.

    Attributes:
        tokens: balances by address, then by symbol.
        claims: claims less debts by venue, then by address.
        own: each venue's own, by venue.
        deficits: by venue.
        supply: total supply by symbol.

    """

    tokens: dict[bytes, Holdings] = field(default_factory=dict)
    claims: dict[str, dict[bytes, Holdings]] = field(default_factory=dict)
    own: dict[str, Holdings] = field(default_factory=dict)
    deficits: dict[str, Holdings] = field(default_factory=dict)
    supply: Holdings = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        engine: Engine,
        tokens: Mapping[str, Contract],
        venues: Sequence[Claims],
        accounts: Sequence[bytes],
        *,
        holders: Sequence[bytes] = (),
    ) -> Snapshot:
        """accounts: whose tokens and claims are read; holders: whose tokens beside."""
        made = cls(tokens={address: {} for address in (*accounts, *holders)})
        for symbol, token in tokens.items():
            made.supply[symbol] = token.read(engine, "totalSupply")
            for address in made.tokens:
                balance = token.read(engine, "balanceOf", address)
                made.tokens[address][symbol] = balance
        for venue in venues:
            made.claims[venue.name] = dict(zip(accounts, venue.held(engine, accounts), strict=True))
            made.own[venue.name] = venue.own(engine, accounts)
            made.deficits[venue.name] = venue.written_off(engine)
        return made

    def held(self, addresses: Sequence[bytes]) -> Holdings:
        """Tokens that some addresses have together, without claims and debts."""
        total: Holdings = {}
        for address in addresses:
            _add(total, self.tokens[address])
        return total

    def position(self, venue: str, addresses: Sequence[bytes]) -> Holdings:
        """Claims less debts at a venue of some addresses together."""
        total: Holdings = {}
        for address in addresses:
            _add(total, self.claims[venue].get(address, {}))
        return total

    def worth(self, addresses: Sequence[bytes], valuer: Valuer) -> int:
        """E26 of what one party holds; a position that owes more than it has counts nothing."""
        positions = (valuer.worth(self.position(venue, addresses)) for venue in self.claims)
        return valuer.worth(self.held(addresses)) + sum(max(0, worth) for worth in positions)

    def shortfall(self, venue: str, parties: Sequence[Sequence[bytes]], valuer: Valuer) -> int:
        """E26 that the parties' positions at a venue owe beyond what they have."""
        positions = (valuer.worth(self.position(venue, party)) for party in parties)
        return sum(max(0, -worth) for worth in positions)

    def insolvency(self, venue: str, parties: Sequence[Sequence[bytes]], valuer: Valuer) -> int:
        """E26: shortfall and what was written off and nobody has paid for."""
        return self.shortfall(venue, parties, valuer) + valuer.worth(self.deficits[venue])


def _add(total: Holdings, more: Mapping[str, Any]) -> None:
    for symbol, amount in more.items():
        total[symbol] = total.get(symbol, 0) + amount
