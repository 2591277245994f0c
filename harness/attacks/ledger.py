"""The accounts of an attack: what everybody holds from block to block, losses, balanced books."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eth_hash.auto import keccak

from harness.attacks.holdings import E26, Holdings, Snapshot, Valuer
from harness.attacks.stage import Sent, Stage
from harness.engine.base import ZERO_ADDRESS, Receipt
from harness.errors import ScenarioError
from harness.people import COLLECTOR

_TRANSFER = keccak(b"Transfer(address,address,uint256)")
_FLASH_LOAN = keccak(b"FlashLoan(address,address,address,uint256,uint256)")


class Damage(NamedTuple):
    """E26 since the start: losses by victim, insolvency by venue."""

    losses: Mapping[str, int]
    insolvency: Mapping[str, int]


class Ledger:
    """Follows everybody's holdings from block to block and draws up the accounts."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.holders: dict[bytes, None] = {}
        self.minted: Holdings = {}
        self.flash = 0
        self.fees = 0
        self.capital = 0

    def open(self) -> None:
        """Takes the accounts of the start."""
        stage = self.stage
        attackers = [actor for actor in stage.actors.values() if actor.role == "attacker"]
        if not attackers:
            raise ScenarioError("attack", "no attacker", "an actor whose role is attacker")
        self.attackers = [address for actor in attackers for address in actor.addresses]
        self.accounts = list(
            dict.fromkeys(
                [
                    *(a for actor in stage.actors.values() for a in actor.addresses),
                    *stage.setup.contracts,
                    COLLECTOR,
                    *self.holders,
                ]
            )
        )
        #: who owes and claims together: the attackers as one, everybody else alone
        self.parties = [
            self.attackers,
            *([address] for address in self.accounts if address not in self.attackers),
        ]
        self.minted.clear()
        self.first = self.last = self.read()
        self.start_valuer = stage.valuer()

    def read(self) -> Snapshot:
        """Everybody's holdings now."""
        stage = self.stage
        return Snapshot.read(
            stage.engine, stage.tokens, stage.venues, self.accounts, holders=tuple(self.holders)
        )

    def watch(self, receipts: Sequence[Receipt]) -> None:
        """Notes who was paid, what was minted and burned, and what was lent for one transaction."""
        symbols = {token.address: symbol for symbol, token in self.stage.tokens.items()}
        for receipt in receipts:
            lent: Holdings = {}
            for log in receipt.logs:
                topic = log.topics[0] if log.topics else b""
                if topic == _TRANSFER and log.address in symbols:
                    sender, receiver = log.topics[1][12:], log.topics[2][12:]
                    amount = int.from_bytes(log.data, "big")
                    symbol = symbols[log.address]
                    sign = (sender == ZERO_ADDRESS) - (receiver == ZERO_ADDRESS)
                    self.minted[symbol] = self.minted.get(symbol, 0) + sign * amount
                    for party in (sender, receiver):
                        if party != ZERO_ADDRESS:
                            self.holders[party] = None
                elif topic == _FLASH_LOAN:
                    symbol = symbols[log.topics[1][12:]]
                    lent[symbol] = lent.get(symbol, 0) + int.from_bytes(log.data[:32], "big")
            if lent:
                self.flash = max(self.flash, self.stage.valuer().worth(lent))

    def paid(self, included: Sequence[Sent]) -> None:
        """Adds the attackers' fees for these transactions."""
        units = sum(
            sent.gas * sent.bid for sent in included if sent.transaction.sender in self.attackers
        )
        self.fees += self.stage.valuer().worth({self.stage.fee_symbol: units}) if units else 0

    def damage(self, now: Snapshot, valuer: Valuer) -> Damage:
        """What victims have lost and venues lack since the start."""
        first, then = self.first, self.start_valuer
        return Damage(
            losses={
                actor.name: -self.profit(actor.addresses, now, valuer)
                for actor in self.stage.actors.values()
                if actor.role == "victim"
            },
            insolvency={
                venue: now.insolvency(venue, self.parties, valuer)
                - first.insolvency(venue, self.parties, then)
                for venue in now.claims
            },
        )

    def profit(self, addresses: Sequence[bytes], now: Snapshot, valuer: Valuer) -> int:
        """E26 that some parties are better off by since the start."""
        return now.worth(addresses, valuer) - self.first.worth(addresses, self.start_valuer)

    def block(self) -> tuple[Holdings, int]:
        """The attackers' change of holdings over a block, and their profit so far."""
        stage, before = self.stage, self.last
        now = Snapshot.read(stage.engine, stage.tokens, stage.venues, self.attackers)
        valuer = self.stage.valuer()
        then, held = before.held(self.attackers), now.held(self.attackers)
        change = {
            symbol: held[symbol] - then[symbol]
            for symbol in self.stage.tokens
            if held[symbol] != then[symbol]
        }
        first = self.first.held(self.attackers)
        out = sum(
            max(0, valuer.worth({symbol: first[symbol] - held[symbol]}))
            for symbol in self.stage.tokens
        )
        self.capital = max(self.capital, out)
        self.last = now
        return change, self.profit(self.attackers, now, valuer)

    def problems(self, now: Snapshot, valuer: Valuer) -> dict[str, str | None]:
        """What is wrong with the books, by invariant; see `harness.attacks`."""
        return {"ATK-1": self._unbalanced(now), "ATK-2": self._unvalued(now, valuer)}

    def _unbalanced(self, now: Snapshot) -> str | None:
        for symbol in self.stage.tokens:
            change = sum(held[symbol] for held in now.tokens.values()) - sum(
                held[symbol] for held in self.first.tokens.values()
            )
            minted = self.minted.get(symbol, 0)
            if change != minted or now.supply[symbol] - self.first.supply[symbol] != minted:
                return f"{symbol}: balances changed by {change}, {minted} were minted less burned"
        return None

    def everything(self, snapshot: Snapshot) -> Holdings:
        """All holdings, claims, debts and what venues owe, of everybody."""
        total: Holdings = {}
        rows = [*snapshot.tokens.values(), *snapshot.own.values()]
        for venue in snapshot.claims.values():
            rows += venue.values()
        for row in rows:
            for symbol, amount in row.items():
                total[symbol] = total.get(symbol, 0) + amount
        return total

    def _unvalued(self, now: Snapshot, valuer: Valuer) -> str | None:
        """Everybody's profit against the revaluation of what they held, at the final prices.

        Each account's claim and debt is rounded by up to a base unit against the total.
        """
        start, end = self.everything(self.first), self.everything(now)
        positions = 2 * sum(len(venue) for venue in now.claims.values())
        for symbol in self.stage.tokens:
            made = end.get(symbol, 0) - start.get(symbol, 0) - self.minted.get(symbol, 0)
            if self._is_share(symbol):
                made += self.minted.get(symbol, 0)  # the vault owes what it issued
            if abs(made) > positions:
                return f"{symbol}: everybody together has {made} more than was minted"
        gained = sum(
            self._net(now, address, valuer) - self._net(self.first, address, self.start_valuer)
            for address in now.tokens
        ) + sum(
            valuer.worth(now.own[name]) - self.start_valuer.worth(self.first.own[name])
            for name in now.own
        )
        revalued = valuer.worth(start) - self.start_valuer.worth(start)
        created = valuer.worth(
            {s: amount for s, amount in self.minted.items() if not self._is_share(s)}
        )
        largest = max(
            (valuer.worth({symbol: positions}) for symbol in self.stage.tokens), default=0
        )
        off = gained - revalued - created
        if abs(off) > largest * max(1, len(self.stage.tokens)):
            return f"parties gained ${off / E26:,.6f} more than their holdings were revalued by"
        return None

    def _is_share(self, symbol: str) -> bool:
        return any(getattr(venue, "shares", None) == symbol for venue in self.stage.venues)

    @staticmethod
    def _net(snapshot: Snapshot, address: bytes, valuer: Valuer) -> int:
        total = valuer.worth(snapshot.tokens.get(address, {}))
        return total + sum(
            valuer.worth(venue.get(address, {})) for venue in snapshot.claims.values()
        )
