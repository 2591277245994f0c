"""A lending protocol under test: deployed through its adapter, driven by hand, checked throughout.

    market = LendingMarket(open_engine("revm"), PooledMarketAdapter())
    market.supply("alice", "ETH", 10 * 10**18)
    market.borrow("alice", "USDC", 15_000 * 10**6)
    market.price("ETH", 1_500)
    with market.anchor():
        market.liquidate("alice", "ETH", "USDC")

Each action is one block of one transaction. After each, the standard invariants are checked, those
of `INVARIANTS` on the state and those of `ACTION_INVARIANTS` and LIQ-1 on what was done. What an
action did is told apart from what time did by executing an empty block at the same time first, in
a snapshot, and reading the books and positions there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import NamedTuple

from harness.accounts import account
from harness.contracts import Contract
from harness.engine.base import Block, Engine, Receipt, Transaction, anchor
from harness.errors import Reverted, ScenarioError
from harness.protocols.base import (
    ALL,
    Action,
    ActionKind,
    AssetBooks,
    AssetPosition,
    LendingAdapter,
    Listing,
)
from harness.setup import Setup, require_success
from harness.testing.invariants import (
    ACTION_INVARIANTS,
    INVARIANTS,
    enforce,
    health_factor,
    wrong_books,
    wrong_health,
    wrong_indexes,
    wrong_liquidation,
    wrong_reserves,
    wrong_scaled_totals,
    wrong_token_supply,
)

__all__ = ["ASSETS", "AssetSpec", "LendingMarket"]

WAD = 10**18
PRICE_UNIT = 10**8
NO_DEBT = (1 << 256) - 1
START = 1_700_000_000
_LOW_HALF = (1 << 128) - 1
_MINTER = account("minter").address
_REPORTER = account("keeper").address


class AssetSpec(NamedTuple):
    """A token to deploy: its symbol, decimals and first price in USD."""

    symbol: str
    decimals: int
    price_usd: float


ASSETS = (AssetSpec("ETH", 18, 2_000), AssetSpec("USDC", 6, 1))
"""What a market lists unless told otherwise."""

_PURSE_USD = 10**12


class LendingMarket:
    """A lending protocol on a chain of its own, with tokens, feeds and accounts made on demand.

    Accounts are named; each has a purse of a trillion dollars of every token and has approved the
    protocol. Amounts are base units.

    Args:
        engine: a fresh engine, which the caller closes.
        adapter: of the protocol.
        assets: what is listed.
        people: accounts that are funded at once; any other is when it first acts.
        erc20: the artifact of every token; its constructor is that of ``Token``.
        waived: identifiers of invariants this protocol does not promise.

    Attributes:
        engine, adapter: as given.
        tokens, feeds: contracts by symbol.
        contracts: those that hold the protocol's tokens.
        names: accounts that have been funded.

    """

    def __init__(
        self,
        engine: Engine,
        adapter: LendingAdapter,
        *,
        assets: Sequence[AssetSpec] = ASSETS,
        people: Sequence[str] = ("bank", "alice", "bob", "carol", "liquidator"),
        erc20: str = "Token",
        waived: Collection[str] = (),
    ) -> None:
        unknown = sorted(set(waived) - {*INVARIANTS, *ACTION_INVARIANTS})
        if unknown:
            allowed = ", ".join([*INVARIANTS, *ACTION_INVARIANTS])
            raise ScenarioError("waived", unknown[0], f"one of {allowed}")
        self.engine = engine
        self.adapter = adapter
        self.assets = tuple(assets)
        self.symbols = tuple(spec.symbol for spec in assets)
        self._waived = frozenset(waived)
        self._checking = True
        self._units: list[int] = [10**spec.decimals for spec in assets]
        self._prices = [_answer(spec.price_usd) for spec in assets]
        self._places = {symbol: place for place, symbol in enumerate(self.symbols)}
        setup = Setup()
        self.tokens = {
            spec.symbol: setup.deploy(erc20, spec.symbol, spec.symbol, spec.decimals, _MINTER)
            for spec in assets
        }
        self.feeds = {}
        for spec in assets:
            feed = setup.deploy("PushFeed", _REPORTER, 8, f"{spec.symbol} / USD")
            setup.send(_REPORTER, feed, "transmit", _answer(spec.price_usd))
            self.feeds[spec.symbol] = feed
        self.contracts = tuple(
            adapter.deploy(
                setup,
                [
                    Listing(s.symbol, self.tokens[s.symbol], s.decimals, self.feeds[s.symbol])
                    for s in assets
                ],
            )
        )
        self.names = tuple(people)
        for name in people:
            setup.transactions += self._purse(name)
        blocks = setup.blocks(START)
        for block in blocks:
            require_success(block, engine.execute(block))
        self.number = len(blocks)
        self.now = START - 1
        self._last = list(adapter.books(engine))
        self.check()

    # --- acting ---------------------------------------------------------------------------

    def supply(self, who: str, symbol: str, amount: int) -> Receipt:
        """Supplies from the account's purse. This and the following raise Reverted if refused."""
        return self._own("supply", who, symbol, amount)

    def withdraw(self, who: str, symbol: str, amount: int = ALL) -> Receipt:
        """Withdraws to the purse."""
        return self._own("withdraw", who, symbol, amount)

    def borrow(self, who: str, symbol: str, amount: int) -> Receipt:
        """Borrows to the purse."""
        return self._own("borrow", who, symbol, amount)

    def repay(self, who: str, symbol: str, amount: int = ALL) -> Receipt:
        """Repays from the purse."""
        return self._own("repay", who, symbol, amount)

    def liquidate(
        self, who: str, collateral: str, debt: str, amount: int = ALL, *, by: str = "liquidator"
    ) -> Receipt:
        """Liquidates an account."""
        action = Action(
            "liquidate",
            account(by).address,
            account(who).address,
            self._places[debt],
            amount,
            self._places[collateral],
        )
        self._fund(by)
        return self.act(action)

    def price(self, symbol: str, usd: float) -> None:
        """Publishes a price."""
        answer = _answer(usd)
        sent = self.feeds[symbol].transaction(_REPORTER, "transmit", answer)
        self._execute((sent,), 1)
        self._prices[self._places[symbol]] = answer

    def wait(self, seconds: int) -> None:
        """Lets time pass, in one empty block, and checks."""
        self._execute((), seconds)
        if self._checking:
            self.check()

    def act(self, action: Action, after: int = 1) -> Receipt:
        """Executes an action ``after`` seconds later and checks every invariant.

        Raises:
            Reverted: the protocol refuses it, or offers no such action.
            InvariantViolation: something does not hold any more.

        """
        sent = self.adapter.act(action)
        if sent is None:
            raise Reverted(b"")
        if not self._checking:
            return self._execute((sent,), after)[0]
        before, position = self._without(action, after)
        try:
            (receipt,) = self._execute((sent,), after)
        except Reverted as error:
            panic = f"{action.kind} ended in {error}" if str(error).startswith("Panic(") else None
            self._enforce("PAN-1", action.account, panic)
            raise
        self._check_action(action, before, position)
        return receipt

    @contextmanager
    def unchecked(self) -> Iterator[None]:
        """Checks no invariant in the body: to see what a protocol does that breaks them."""
        kept, self._checking = self._checking, False
        try:
            yield
        finally:
            self._checking = kept

    @contextmanager
    def anchor(self) -> Iterator[LendingMarket]:
        """Undoes on exit whatever the body does."""
        kept = self.number, self.now, list(self._prices), self._last, self.names
        with anchor(self.engine):
            yield self
        self.number, self.now, self._prices, self._last, self.names = kept

    # --- reading --------------------------------------------------------------------------

    def books(self, symbol: str) -> AssetBooks:
        """One asset's books."""
        return self.adapter.books(self.engine)[self._places[symbol]]

    def position(self, who: str) -> dict[str, AssetPosition]:
        """An account's position by symbol."""
        (parts,) = self.adapter.positions(self.engine, [account(who).address])
        return dict(zip(self.symbols, parts, strict=True))

    def balance(self, who: str, symbol: str) -> int:
        """Tokens in an account's purse."""
        return self._balance(self.tokens[symbol], account(who).address)

    def price_of(self, symbol: str) -> float:
        """The feed's price, USD."""
        return self._prices[self._places[symbol]] / PRICE_UNIT

    def usd(self, symbol: str, amount: int) -> float:
        """Worth of an amount at the feed's price."""
        place = self._places[symbol]
        return amount * self._prices[place] / self._units[place] / PRICE_UNIT

    def units_worth(self, place: int, micro_usd: int) -> int:
        """Base units worth so many millionths of a dollar at the first price, at least 1."""
        spec = self.assets[place]
        worth = micro_usd * 10**spec.decimals * (PRICE_UNIT // 10**6) // _answer(spec.price_usd)
        return max(1, int(worth))

    def health(self, who: str) -> float:
        """Health factor at the feeds' prices, computed here; infinite without debt."""
        (position,) = self.adapter.positions(self.engine, [account(who).address])
        factor = self._health(position, self.adapter.books(self.engine))
        return float("inf") if factor is None else factor / WAD

    def weakest(self) -> tuple[str, float]:
        """The funded account of the lowest health factor, and that."""
        books = self.adapter.books(self.engine)
        addresses = [account(name).address for name in self.names]
        held = self.adapter.positions(self.engine, addresses)
        factors = [self._health(position, books) for position in held]
        ranked = [NO_DEBT if factor is None else factor for factor in factors]
        place = ranked.index(min(ranked))
        factor = factors[place]
        return self.names[place], float("inf") if factor is None else factor / WAD

    def largest(self, who: str) -> tuple[int, int]:
        """An account's largest debt and its largest collateral, another asset if it has one, by
        worth, as places in assets."""
        (parts,) = self.adapter.positions(self.engine, [account(who).address])
        worth = [price * WAD // unit for price, unit in zip(self._prices, self._units, strict=True)]
        debts = [part.debt * rate for part, rate in zip(parts, worth, strict=True)]
        claims = [part.claims * rate for part, rate in zip(parts, worth, strict=True)]
        debt = debts.index(max(debts))
        others = [worth for place, worth in enumerate(claims) if place != debt]
        return debt, claims.index(max(others)) if any(others) else claims.index(max(claims))

    def room(self, who: str, symbol: str) -> int:
        """About what an account may still borrow of an asset before it can be liquidated, and what
        there is of it."""
        books = self.adapter.books(self.engine)
        (position,) = self.adapter.positions(self.engine, [account(who).address])
        usd = 0
        for part, book, price, unit in zip(position, books, self._prices, self._units, strict=True):
            weighted = part.claims * book.threshold_bps // 10_000 - part.debt
            usd += weighted * price * WAD // unit
        place = self._places[symbol]
        allowed = usd * self._units[place] // (self._prices[place] * WAD)
        return max(0, min(allowed, books[place].cash))

    # --- invariants -----------------------------------------------------------------------

    def check(self) -> None:
        """Checks `INVARIANTS` on the state as it is; InvariantViolation names what is wrong."""
        before, books = self._last, list(self.adapter.books(self.engine))
        self._last = books
        people = [account(name).address for name in self.names]
        held = self.adapter.positions(self.engine, people)
        for place, (symbol, old, new) in enumerate(zip(self.symbols, before, books, strict=True)):
            token = self.tokens[symbol]
            balances = [self._balance(token, contract.address) for contract in self.contracts]
            self._enforce(
                "MKT-1",
                symbol,
                wrong_books(
                    cash=new.cash,
                    debt=new.debt,
                    deficit=new.deficit,
                    claims=new.claims,
                    reserves=new.reserves,
                    token_balance=sum(balances),
                ),
            )
            self._enforce(
                "IDX-1",
                symbol,
                wrong_indexes(
                    (old.supply_index, old.borrow_index), (new.supply_index, new.borrow_index)
                ),
            )
            parts = [position[place] for position in held]
            self._enforce(
                "MKT-2",
                symbol,
                wrong_scaled_totals(
                    [part.scaled_claims << 128 | part.scaled_debt for part in parts],
                    total_scaled_supply=new.scaled_claims,
                    total_scaled_debt=new.scaled_debt,
                ),
            )
            balances += [self._balance(token, person) for person in people]
            supply = token.read(self.engine, "totalSupply")
            self._enforce("TOK-1", symbol, wrong_token_supply(balances, total_supply=supply))

    def _check_action(
        self, action: Action, before: Sequence[AssetBooks], position: Sequence[AssetPosition]
    ) -> None:
        self.check()
        (held,) = self.adapter.positions(self.engine, [action.account])
        if action.kind == "liquidate":
            problem = wrong_liquidation(
                position_before=_words(position, -1),
                prices=self._prices_wad(),
                health_factor_before=None,
                units=self._units,
                threshold_bps=[book.threshold_bps for book in before],
            )
            self._enforce("LIQ-1", action.account, problem)
        elif action.kind in ("borrow", "withdraw"):
            problem = wrong_health(
                before=_words(position, 1),
                after=_words(held, 1),
                prices=self._prices_wad(),
                units=self._units,
                threshold_bps=[book.threshold_bps for book in before],
            )
            self._enforce("HLT-1", action.account, problem)
        if action.kind != "liquidate" or any(part.claims for part in held):
            for symbol, old, new in zip(self.symbols, before, self._last, strict=True):
                self._enforce("RES-1", symbol, wrong_reserves(old.reserves, new.reserves))

    def _enforce(self, identifier: str, subject: str | bytes, problem: str | None) -> None:
        if problem is not None and identifier not in self._waived:
            if isinstance(subject, bytes):
                names = {account(name).address: name for name in self.names}
                subject = names.get(subject, f"0x{subject.hex()}")
            enforce(identifier, f"{subject}: {problem}", self.number)

    # --- parts ----------------------------------------------------------------------------

    def _own(self, kind: ActionKind, who: str, symbol: str, amount: int) -> Receipt:
        self._fund(who)
        me = account(who).address
        return self.act(Action(kind, me, me, self._places[symbol], amount))

    def _without(
        self, action: Action, after: int
    ) -> tuple[Sequence[AssetBooks], Sequence[AssetPosition]]:
        """Books and the account's position at the time of the action if it does not happen."""
        with anchor(self.engine):
            self.engine.execute(Block(self.number + 1, self.now + after, ()))
            (position,) = self.adapter.positions(self.engine, [action.account])
            return self.adapter.books(self.engine), position

    def _execute(self, transactions: tuple[Transaction, ...], after: int) -> Sequence[Receipt]:
        self.number += 1
        self.now += after
        receipts = self.engine.execute(Block(self.number, self.now, transactions))
        for receipt in receipts:
            if not receipt.status:
                raise Reverted(receipt.output or b"")
        return receipts

    def _fund(self, name: str) -> None:
        if name not in self.names:
            self.names = (*self.names, name)
            self._execute(tuple(self._purse(name)), 1)

    def _purse(self, name: str) -> list[Transaction]:
        me = account(name).address
        sent = []
        for spec in self.assets:
            token = self.tokens[spec.symbol]
            amount = _PURSE_USD * 10**spec.decimals * PRICE_UNIT // _answer(spec.price_usd)
            sent.append(token.transaction(_MINTER, "mint", me, amount))
            sent += [token.transaction(me, "approve", c.address, ALL) for c in self.contracts]
        return sent

    def _balance(self, token: Contract, holder: bytes) -> int:
        return int(token.read(self.engine, "balanceOf", holder))

    def _prices_wad(self) -> list[int]:
        return [price * (WAD // PRICE_UNIT) for price in self._prices]

    def _health(self, position: Sequence[AssetPosition], books: Sequence[AssetBooks]) -> int | None:
        return health_factor(
            _words(position, 0),
            self._prices_wad(),
            self._units,
            [book.threshold_bps for book in books],
        )


def _answer(usd: float) -> int:
    """A price as the feeds have it, 8 decimals, at least the smallest."""
    return max(1, int(Decimal(repr(usd)) * PRICE_UNIT))


def _words(position: Sequence[AssetPosition], favour: int) -> list[int]:
    """Claims << 128 | debt, each off by a unit in the account's favour (1) or against it (-1), so
    that no protocol is blamed for rounding otherwise than here."""
    words = []
    for part in position:
        claims = part.claims + favour if part.claims else 0
        debt = part.debt - favour if part.debt else 0
        words.append(claims << 128 | debt & _LOW_HALF)
    return words
