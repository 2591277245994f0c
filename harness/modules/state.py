"""What a module is doing after a block: its open sales, read from the chain in one call."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from harness.contracts import WORD
from harness.engine.base import Engine, Receipt
from harness.modules.handle import ModuleHandle
from harness.protocols.pooled_lending import RAY, AssetState, PooledLendingVenue
from harness.scenario.liquidation import AbsorbAndSell, DutchAuctions, EnglishAuctions

SIGN = 1 << 255


class Item(NamedTuple):
    """What is in an auction: account number (-1: not of this scenario), asset numbers."""

    account: int
    collateral: int
    debt: int


class DutchSale(NamedTuple):
    """A running Dutch auction; base units, the price RAY of debt for a unit of collateral.

    needs_reset: nothing can be bought before a reset
    least_tab: what a purchase must leave to be raised, or clear
    dirt_usd: its part of the throttle, WAD
    scaled_claims, scaled_debt: what it holds, and owes without the penalty, as the market keeps it
    """

    number: int
    item: Item
    needs_reset: bool
    price_ray: int
    lot: int
    tab: int
    least_tab: int
    dirt_usd: int
    scaled_claims: int
    scaled_debt: int


class EnglishSale(NamedTuple):
    """A running English auction; base units, epoch seconds.

    bidder: who leads, None before the first bid
    bid_ends: when the bid wins, 0 before the first
    ends: when bidding ends
    owed: debt not paid by the bid; held: collateral, with what the lot leaves
    """

    number: int
    item: Item
    lot: int
    tab: int
    bid: int
    bidder: bytes | None
    bid_ends: int
    ends: int
    scaled_claims: int
    scaled_debt: int


class StoreFront(NamedTuple):
    """What an absorbing module has: base assets, and for each asset of the market what is for sale
    and the ask price (WAD, 0 where it is not absorbed).

    reserves: may be negative
    owed, claims: what the module owes and has of the base asset
    """

    reserves: int
    target: int
    owed: int
    claims: int
    for_sale: tuple[int, ...]
    ask_wad: tuple[int, ...]


class PoolState(NamedTuple):
    """A stability pool: deposits in base units, scaled claims and debt of the pool, and for each
    depositor deposit and gain (scaled claims)."""

    deposits: int
    scaled_claims: int
    scaled_debt: int
    parts: tuple[tuple[int, int], ...]


class Throttle(NamedTuple):
    """Room for more auctions of a collateral: USD WAD; the penalty factor is in bps."""

    limit: int
    amount: int
    room: int
    penalty_bps: int


class ModuleState:
    """A module after the last block; what is read of it is read once a block, when asked for."""

    def __init__(self, venue: PooledLendingVenue, module: ModuleHandle, engine: Engine) -> None:
        self.handle = module
        self._venue = venue
        self._engine = engine
        self._addresses = [venue.token(symbol).address for symbol in venue.assets]
        self._asset_of = {address: place for place, address in enumerate(self._addresses)}
        self._items: dict[int, Item] = {}

    def update(self, receipts: Sequence[Receipt]) -> None:
        """Moves on to the state after a block."""
        for name in ("dutch_sales", "english_sales", "_throttles", "store_front", "pool"):
            self.__dict__.pop(name, None)
        if not isinstance(self.handle.design, DutchAuctions | EnglishAuctions):
            return
        contract = self.handle.contract
        for receipt in receipts:
            for fields in contract.events(receipt.logs, "Kick"):
                self._items[fields["id"]] = Item(
                    self._venue.number_of.get(fields["account"], -1),
                    self._asset_of[fields["collateralAsset"]],
                    self._asset_of[fields["debtAsset"]],
                )
            for fields in contract.events(receipt.logs, "Closed"):
                del self._items[fields["id"]]

    def _words(self, function: str, *args: object) -> list[int]:
        lens = self.handle.lens
        data = self._engine.call(lens.address, lens.encode(function, *args))
        return [
            int.from_bytes(data[at : at + WORD], "big") for at in range(2 * WORD, len(data), WORD)
        ]

    @cached_property
    def dutch_sales(self) -> list[DutchSale]:
        """Running Dutch auctions by number."""
        if not self._items:
            return []
        words = self._words("dutchSales", self.handle.contract.address)
        rows = (words[at : at + 9] for at in range(0, len(words), 9))
        sales = [DutchSale(row[0], self._items[row[0]], bool(row[1]), *row[2:]) for row in rows]
        return sorted(sales)

    @cached_property
    def english_sales(self) -> list[EnglishSale]:
        """Running English auctions by number."""
        if not self._items:
            return []
        numbers = sorted(self._items)
        words = self._words("englishSales", self.handle.contract.address, numbers)
        sales = []
        for place, number in enumerate(numbers):
            lot, tab, bid, bidder, *rest = words[8 * place : 8 * place + 8]
            leader = bidder.to_bytes(20, "big") if bidder else None
            item = self._items[number]
            sales.append(EnglishSale(number, item, lot, tab, bid, leader, *rest))
        return sales

    @property
    def open_sales(self) -> Sequence[DutchSale | EnglishSale]:
        """Running auctions, of whichever kind."""
        if isinstance(self.handle.design, DutchAuctions):
            return self.dutch_sales
        return self.english_sales

    @cached_property
    def store_front(self) -> StoreFront:
        """What is for sale, and what it has to pay for."""
        words = self._words("storeFront", self.handle.contract.address, self._addresses)
        reserves = words[0] - (1 << 256) if words[0] & SIGN else words[0]
        _, target, owed, claims, *items = words
        return StoreFront(reserves, target, owed, claims, tuple(items[::2]), tuple(items[1::2]))

    @cached_property
    def pool(self) -> PoolState:
        """The stability pool, with its depositors in the order of the handle's."""
        words = self._words(
            "stabilityPool", self.handle.contract.address, list(self.handle.depositors)
        )
        deposits, claims, debt, *parts = words
        return PoolState(deposits, claims, debt, tuple(zip(parts[::2], parts[1::2], strict=True)))

    def claims_of(self, owner: bytes, place: int) -> int:
        """Scaled claims of anyone in one asset of the market."""
        return self._venue.scaled_words(self._engine, [owner])[place] >> 128

    @property
    def throttle(self) -> list[Throttle]:
        """The throttle of each asset of the market, in its order."""
        return self._throttles[1]

    @property
    def total_limit(self) -> tuple[int, int]:
        """Limit over all collateral and what is in auction, USD WAD."""
        return self._throttles[0]

    @cached_property
    def _throttles(self) -> tuple[tuple[int, int], list[Throttle]]:
        trigger = self.handle.trigger
        if trigger is None:
            raise ValueError(f"{self._venue.name} has no throttle")
        words = self._words("throttle", trigger.address, self._addresses)
        rows = [Throttle(*words[at : at + 4]) for at in range(2, len(words), 4)]
        return (words[0], words[1]), rows

    def shortfall(self, states: Sequence[AssetState], prices_wad: Sequence[int]) -> int:
        """USD (WAD) by which what it owes exceeds what it holds against it, at these prices.

        states: the market's books after the block
        """
        design = self.handle.design
        if isinstance(design, AbsorbAndSell):
            front, base = self.store_front, self._venue.assets.index(design.base)
            held = self._usd(base, front.claims, prices_wad) + sum(
                self._usd(place, amount, prices_wad)
                for place, amount in enumerate(front.for_sale)
                if place != base
            )
            return max(0, self._usd(base, front.owed, prices_wad) - held)
        return sum(self._uncovered(sale, states, prices_wad) for sale in self.open_sales)

    def _uncovered(
        self,
        sale: DutchSale | EnglishSale,
        states: Sequence[AssetState],
        prices_wad: Sequence[int],
    ) -> int:
        item = sale.item
        owed = -(-sale.scaled_debt * states[item.debt].borrow_index // RAY)
        held = sale.scaled_claims * states[item.collateral].supply_index // RAY
        if isinstance(sale, EnglishSale) and sale.bidder:
            held = 0  # what a bid does not pay is lost once it wins: the lot is the bidder's
        worth = self._usd(item.collateral, held, prices_wad)
        return max(0, self._usd(item.debt, owed, prices_wad) - worth)

    def _usd(self, asset: int, amount: int, prices_wad: Sequence[int]) -> int:
        worth: int = amount * prices_wad[asset] // 10 ** self._venue.decimals[asset]
        return worth
