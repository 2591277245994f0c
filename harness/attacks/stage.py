"""Where an attack is played: contracts, actors, and blocks.

A script first deploys what it needs (`Stage.token`, `feed`, `pool`, `lending`, `actor`, ...); with
its first ``yield`` set-up is executed. From then on `send` queues a transaction for the next block,
and each ``yield`` executes that block; ``yield k`` executes k of them. Reads see the last block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.accounts import Account, account
from harness.attacks.calls import MAX, Call, Located, approve, borrow, supply
from harness.attacks.holdings import (
    Claims,
    FeeClaims,
    IsolatedClaims,
    PooledClaims,
    Valuer,
    VaultShares,
)
from harness.contracts import Contract, decode_error
from harness.engine.base import Engine, Log, Receipt, Transaction
from harness.errors import EngineError
from harness.orders import Order
from harness.people import ADMIN, BUILDER, COLLECTOR, KEEPER, MINTER, POOL_PROVIDER, SEEDER
from harness.scenario import PRICE_UNIT, base_units
from harness.setup import Setup
from harness.world import World

__all__ = ["Actor", "InOrder", "Lending", "Sent", "Stage"]

WAD = 10**18
RAY = 10**27
NO_CAP = (1 << 128) - 1
NO_LIMIT = (1 << 127) - 1

#: declared gas of a transaction of an actor where it says nothing else
GAS = 500_000


@dataclass(frozen=True)
class Actor:
    """A named participant: an account that signs, and a contract that acts and holds.

    role: ``attacker``; ``victim``, whose losses are reported; or ``bystander``
    """

    name: str
    role: str
    owner: Account
    contract: Contract

    @property
    def address(self) -> bytes:
        """Where its tokens are."""
        return self.contract.address

    @property
    def addresses(self) -> tuple[bytes, ...]:
        """Everything that is its own."""
        return (self.contract.address, self.owner.address)


@dataclass
class Sent:
    """A transaction of an actor and what became of it.

    Attributes:
        label: what it is for, as the report says it.
        done: it was executed and nothing in it reverted.
        reason: the decoded error of what reverted; None if nothing did.
        skipped: decoded errors of calls that were allowed to fail.
        block: in which it was executed; 0 until then.

    """

    label: str
    actor: Actor
    transaction: Transaction
    bid: int = 0
    gas: int = GAS
    place: str = ""
    available: int = 0
    done: bool = False
    reason: str | None = None
    skipped: list[str] = field(default_factory=list)
    block: int = 0
    logs: tuple[Log, ...] = ()

    def executed(self, block: int, receipt: Receipt) -> None:
        """Notes the outcome."""
        self.block = block
        self.logs = receipt.logs
        if not receipt.status:
            self.reason = decode_error(receipt.output or b"")
            return
        mine = [log for log in receipt.logs if log.address == self.actor.address]
        refused = self.actor.contract.events(mine, "Refused")
        self.skipped = [
            decode_error(event["reason"]) for event in self.actor.contract.events(mine, "Skipped")
        ]
        self.reason = decode_error(refused[0]["reason"]) if refused else None
        self.done = not refused


class InOrder:
    """Block ordering: as the script sent them; those placed first before, those last after."""

    def arrange(self, orders: Sequence[Order], seed: int, block: int) -> list[Order]:
        """See `BlockOrdering.arrange`."""
        rank = {"attack-first": 0, "attack-last": 2}
        return sorted(orders, key=lambda order: rank.get(order.action, 1))


@dataclass(frozen=True)
class Lending:
    """A deployed lending venue and its tokens by symbol."""

    name: str
    market: Contract
    tokens: Mapping[str, Contract]

    @property
    def address(self) -> bytes:
        """The market's."""
        return self.market.address


class Stage:
    """A chain under attack. Scripts use its methods; `harness.attacks.play` drives it.

    Attributes:
        setup: what is deployed before the first block.
        prices: outside prices, 8 decimals, by symbol: what holdings are valued at.
        tokens, decimals: by symbol.
        pools, feeds: by name and symbol.
        actors: by name.
        venues: whose claims and debts count.
        modules: liquidation modules, by the name of their market.
        world, markets: of the scenario in which it is played, if any; its lending markets by name.
        ordering: of blocks; the order of sending by default.
        start: epoch seconds when set-up ends.
        number, now: of the last block, once set up.

    """

    def __init__(self, engine: Engine, *, start: int, seconds_per_block: int = 12) -> None:
        self.engine = engine
        self.start = start
        self.seconds_per_block = seconds_per_block
        self.setup = Setup()
        self.prices: dict[str, int] = {}
        self.tokens: dict[str, Contract] = {}
        self.decimals: dict[str, int] = {}
        self.feeds: dict[str, Contract] = {}
        self.pools: dict[str, Contract] = {}
        self.actors: dict[str, Actor] = {}
        self.venues: list[Claims] = []
        self.modules: dict[str, Contract] = {}
        self.markets: dict[str, Lending] = {}
        self.world: World | None = None
        self.ordering: Any = InOrder()
        self.fee_ledger: Contract | None = None
        self.fee_symbol = ""
        self.number = 0
        self.now = 0
        self.extra_wait = 0
        self.pending: list[Sent] = []
        self.top: list[Transaction] = []
        self.guards: list[str] = []
        self.notes: list[str] = []
        self.measures: dict[str, float] = {}
        self._derived: dict[str, Callable[[], int]] = {}
        self._router: Contract | None = None
        self._censored: dict[str, int] = {}

    # ---- set-up

    def deploy(self, contract: str, *args: Any) -> Contract:
        """Any contract of ours. Arguments may be contracts or actors."""
        return self.setup.deploy(contract, *(_address(value) for value in args))

    def admin(self, contract: Contract, function: str, *args: Any) -> None:
        """A call of the protocols' admin: in set-up, or at the top of the next block."""
        self._as(ADMIN, contract, function, *args)

    def _as(self, sender: bytes, contract: Contract, function: str, *args: Any) -> None:
        plain = tuple(_address(value) for value in args)
        if self.number:
            self.top.append(contract.transaction(sender, function, *plain))
        else:
            self.setup.send(sender, contract, function, *plain)

    def token(self, symbol: str, price_usd: float, decimals: int = 18) -> Contract:
        """A token and its outside price."""
        return self.adopt(
            symbol, self.deploy("Token", symbol, symbol, decimals, MINTER), price_usd, decimals
        )

    def adopt(
        self, symbol: str, token: Contract, price_usd: float | None, decimals: int = 18
    ) -> Contract:
        """Counts a token that is there already; without a price it is worth nothing outside."""
        self.tokens[symbol] = token
        self.decimals[symbol] = decimals
        self.price(symbol, price_usd or 0)
        return token

    def price(self, symbol: str, price_usd: float) -> None:
        """States an outside price from now on."""
        self.prices[symbol] = base_units(price_usd, 8)

    def derive_price(self, symbol: str, price: Callable[[], int]) -> None:
        """States how the price (8 decimals) of a share follows from others, whenever asked."""
        self._derived[symbol] = price

    def units(self, symbol: str, amount: float) -> int:
        """Base units of whole tokens."""
        return base_units(amount, self.decimals[symbol])

    def mint(self, symbol: str, to: Located | bytes, amount: float) -> None:
        """Whole tokens, in set-up."""
        self._as(MINTER, self.tokens[symbol], "mint", to, self.units(symbol, amount))

    def feed(self, symbol: str, price_usd: float | None = None, decimals: int = 8) -> Contract:
        """A pushed feed, at the outside price unless another is given."""
        feed = self.deploy("PushFeed", KEEPER, decimals, f"{symbol} / USD")
        self.feeds[symbol] = feed
        self.push(feed, self.prices[symbol] / PRICE_UNIT if price_usd is None else price_usd)
        return feed

    def push(self, feed: Contract, price_usd: float, decimals: int = 8) -> None:
        """The feed's reporter transmits: in set-up, or at the top of the next block."""
        self._as(KEEPER, feed, "transmit", base_units(price_usd, decimals))

    def pool(
        self,
        base: str,
        quote: str,
        base_reserve: float,
        quote_reserve: float | None = None,
        fee_pips: int = 3000,
    ) -> Contract:
        """A pool, at the outside prices unless its quote reserve is given."""
        pool = self.deploy("ConstantProductPool", self.tokens[base], self.tokens[quote], fee_pips)
        if quote_reserve is None:
            quote_reserve = base_reserve * self.prices[base] / self.prices[quote]
        self.mint(base, pool, base_reserve)
        self.mint(quote, pool, quote_reserve)
        self._as(POOL_PROVIDER, pool, "mint", POOL_PROVIDER)
        self.pools[f"{base}/{quote}"] = pool
        return pool

    @property
    def router(self) -> Contract:
        """Where actors swap; used in set-up first."""
        if self._router is None:
            self._router = self.deploy("SwapRouter")
        return self._router

    def lending(
        self,
        name: str,
        assets: Mapping[str, Mapping[str, Any]],
        *,
        contract: str = "PooledMarket",
        further: Sequence[Any] = (),
        rules: tuple[int, int, int, int] = (10_000, 0, 0, 0),
        module: Callable[[Contract], Contract] | None = None,
    ) -> Lending:
        """A pooled market.

        Args:
            name: as reports call it.
            assets: by symbol; each may say ``feed``, ``max_age``, ``min_answer``, ``max_answer``,
                ``ltv``, ``threshold``, ``bonus``, ``protocol_share``, ``reserve_factor`` (Bps),
                ``supply_cap``, ``borrow_cap`` (whole tokens), ``base_rate``, ``slope1``,
                ``slope2``, ``kink`` (Ray). Interest is 0 unless said.
            contract: the market, or one that derives from it.
            further: what the constructor of that takes beside.
            rules: close factor (Bps), full close at health (Wad), full close below, least left
                over (USD Wad).
            module: makes the liquidation module, once the market is there.

        """
        market = self.deploy(contract, ADMIN, rules, *further)
        if module is not None:
            self.modules[name] = module(market)
            self.admin(market, "setLiquidationModule", self.modules[name])
        for symbol, terms in assets.items():
            self.admin(market, "listAsset", self.asset_config(symbol, terms))
        tokens = {symbol: self.tokens[symbol] for symbol in assets}
        self.venues.append(PooledClaims(name, market, tokens))
        return Lending(name, market, tokens)

    def asset_config(self, symbol: str, terms: Mapping[str, Any]) -> tuple[Any, ...]:
        """An asset's listing; see `lending`."""
        known = {
            "feed": None,
            "max_age": 0,
            "min_answer": 0,
            "max_answer": NO_LIMIT,
            "ltv": 0,
            "threshold": 0,
            "bonus": 0,
            "protocol_share": 0,
            "reserve_factor": 0,
            "supply_cap": None,
            "borrow_cap": None,
            "base_rate": 0,
            "slope1": 0,
            "slope2": 0,
            "kink": 8 * RAY // 10,
        }
        values = {**known, **terms}
        if len(values) != len(known):
            raise ValueError(f"{symbol}: known terms are {', '.join(known)}")
        feed = values["feed"] or self.feeds[symbol]
        caps = [
            NO_CAP if values[cap] is None else self.units(symbol, values[cap])
            for cap in ("supply_cap", "borrow_cap")
        ]
        return (
            self.tokens[symbol].address,
            feed.address,
            *(values[name] for name in ("max_age", "min_answer", "max_answer")),
            *(values[name] for name in ("ltv", "threshold", "bonus", "protocol_share")),
            values["reserve_factor"],
            *caps,
            *(values[name] for name in ("base_rate", "slope1", "slope2", "kink")),
        )

    def isolated(
        self,
        name: str,
        collateral: str,
        debt: str,
        *,
        lltv: float,
        collateral_feed: tuple[Any, ...] | None = None,
        debt_feed: tuple[Any, ...] | None = None,
        contract: str = "IsolatedMarket",
    ) -> Lending:
        """An isolated market without interest; feeds are (feed, maxAge, minAnswer, maxAnswer)."""
        feeds = [
            given or (self.feeds[symbol], 0, 0, NO_LIMIT)
            for symbol, given in ((collateral, collateral_feed), (debt, debt_feed))
        ]
        config = (
            self.tokens[collateral].address,
            self.tokens[debt].address,
            *((feed.address, *bounds) for feed, *bounds in feeds),
            int(lltv * 10**6) * WAD // 10**6,
            0,
            ADMIN,
            0,
            0,
            0,
            8 * RAY // 10,
        )
        market = self.deploy(contract, config)
        self.venues.append(IsolatedClaims(name, market, collateral, debt))
        return Lending(name, market, {symbol: self.tokens[symbol] for symbol in (collateral, debt)})

    def vault(self, symbol: str, lending: Lending, asset: str, *, counts_gifts: bool) -> Contract:
        """A vault over a pooled market's asset; its shares are the token ``symbol``, worth outside
        what they redeem for."""
        vault = self.deploy(
            "PooledReceiptVault",
            lending.market,
            self.tokens[asset],
            counts_gifts,
            symbol,
            symbol,
        )
        return self.vault_shares(symbol, vault, asset)

    def vault_shares(self, symbol: str, vault: Contract, asset: str) -> Contract:
        """Counts a vault's shares, worth outside what they redeem for."""
        places = self.decimals[asset]
        self.adopt(symbol, vault, None, places)
        self.venues.append(VaultShares(symbol, vault, symbol))

        def price() -> int:
            worth: int = vault.read(self.engine, "previewRedeem", 10**places)
            value: int = worth * self.prices[asset] // 10**places
            return value

        self.derive_price(symbol, price)
        return vault

    def actor(self, name: str, role: str = "attacker", **capital: float) -> Actor:
        """A participant with whole tokens of its own."""
        owner = account(name)
        actor = Actor(name, role, owner, self.deploy("Actor", owner.address))
        self.actors[name] = actor
        for symbol, amount in capital.items():
            self.mint(symbol, actor, amount)
        return actor

    def prepare(self, actor: Actor, *calls: Call) -> None:
        """Something an actor does before the attack; it must succeed."""
        words = [made.word() for made in calls]
        self.setup.send(actor.owner.address, actor.contract, "run", words)

    def approve(self, actor: Actor, symbols: Sequence[str], *spenders: Located | bytes) -> None:
        """Lets contracts take an actor's tokens, before the attack."""
        self.prepare(
            actor, *(approve(self.tokens[symbol], who) for symbol in symbols for who in spenders)
        )

    def supplier(
        self, name: str, lending: Lending, *, role: str = "victim", **amounts: float
    ) -> Actor:
        """An actor with these whole tokens, all of them supplied to a pooled market."""
        actor = self.actor(name, role, **amounts)
        self.position(actor, lending, supplied=amounts)
        return actor

    def position(
        self,
        actor: Actor,
        lending: Lending,
        *,
        supplied: Mapping[str, float] | None = None,
        borrowed: Mapping[str, float] | None = None,
    ) -> None:
        """An actor supplies and borrows whole tokens of a pooled market before the attack."""
        for symbol, amount in (supplied or {}).items():
            token, units = lending.tokens[symbol], self.units(symbol, amount)
            into = supply(lending.market, token, units, actor)
            self.prepare(actor, approve(token, lending), into)
        for symbol, amount in (borrowed or {}).items():
            token, units = lending.tokens[symbol], self.units(symbol, amount)
            self.prepare(actor, borrow(lending.market, token, units, actor))

    def charge_fees(self, symbol: str) -> None:
        """Bids are paid from now on, in this token, from what `deposit_fees` put there."""
        self.fee_symbol = symbol
        self.fee_ledger = self.deploy("FeeLedger", self.tokens[symbol], BUILDER, COLLECTOR)
        self.setup.send(SEEDER, self.tokens[symbol], "approve", self.fee_ledger.address, MAX)
        self.count_fees()

    def count_fees(self) -> None:
        """Counts what is deposited for fees."""
        if self.fee_ledger is not None:
            self.venues.append(FeeClaims("fees", self.fee_ledger, self.fee_symbol))

    def deposit_fees(self, actor: Actor, amount: float) -> None:
        """Whole fee tokens for an actor's bids, in set-up."""
        if self.fee_ledger is None:
            raise ValueError("charge_fees comes first")
        self.mint(self.fee_symbol, SEEDER, amount)
        units = self.units(self.fee_symbol, amount)
        self.setup.send(SEEDER, self.fee_ledger, "deposit", actor.owner.address, units)

    # ---- steps

    def send(
        self,
        label: str,
        actor: Actor,
        *calls: Call,
        bid: int = 0,
        gas: int = GAS,
        place: str = "",
        after_blocks: int = 0,
    ) -> Sent:
        """Queues a transaction: all its calls or none.

        Args:
            label: what it is for.
            actor: who does it.
            calls: in order.
            bid: wei of the fee asset per unit of declared gas.
            gas: declared.
            place: ``first`` or ``last`` in its block, by a builder who lets the actor choose.
            after_blocks: blocks to hold it back.

        """
        words = [made.word() for made in calls]
        transaction = actor.contract.transaction(actor.owner.address, "run", words)
        sent = Sent(label, actor, transaction, bid, gas, place)
        sent.available = self.number + 1 + after_blocks
        self.pending.append(sent)
        return sent

    def censor(self, actor: Actor, blocks: int) -> None:
        """A builder who takes the attacker's side leaves an actor's transactions out of the next
        blocks."""
        self._censored[actor.name] = self.number + blocks

    def wait(self, seconds: int) -> None:
        """Lets time pass before the next block."""
        self.extra_wait += seconds

    def read(self, contract: Contract, function: str, *args: Any) -> Any:
        """What a view returns at the last block; Reverted if it reverts."""
        return contract.read(self.engine, function, *(_address(value) for value in args))

    def spot(self, base: str, quote: str) -> float:
        """What a pool's base token costs in quote tokens, at the last block."""
        reserve, other, _ = self.read(self.pools[f"{base}/{quote}"], "getReserves")
        whole: float = other * 10 ** self.decimals[base] / (reserve * 10 ** self.decimals[quote])
        return whole

    def balance(self, symbol: str, holder: Located | bytes) -> int:
        """Base units."""
        found: int = self.read(self.tokens[symbol], "balanceOf", holder)
        return found

    def guard(self, text: str) -> None:
        """Names what stopped the attack where nothing reverted."""
        self.guards.append(text)

    def note(self, text: str) -> None:
        """Adds a line to the report."""
        self.notes.append(text)

    def measure(self, name: str, value: float) -> None:
        """Adds a figure to the report, read from the chain: ``liquidated_usd``, ``price_usd``."""
        self.measures[name] = value

    # ---- for the player

    def valuer(self) -> Valuer:
        """USD at the outside prices of now."""
        derived = {symbol: price() for symbol, price in self._derived.items()}
        return Valuer({**self.prices, **derived}, dict(self.decimals))

    def due(self) -> tuple[list[Sent], list[Sent]]:
        """The transactions that may enter the next block, and those that wait."""
        block = self.number + 1
        ready: list[Sent] = []
        waiting: list[Sent] = []
        for sent in self.pending:
            held = self._censored.get(sent.actor.name, 0) >= block
            (waiting if held or sent.available > block else ready).append(sent)
        return ready, waiting

    def order(self, sent: Sent, key: int) -> Order:
        """A queued transaction as the block builder takes it."""
        return Order(
            transaction=sent.transaction,
            action=f"attack-{sent.place}" if sent.place else "attack",
            agent=sent.actor.name,
            key=str(key),
            gas=sent.gas,
            bid=sent.bid,
            observed=self.number,
            available=self.number + 1,
            expires=self.number + 1,
        )


def _address(value: Any) -> Any:
    """Contracts, actors and accounts as their addresses, in lists too."""
    if isinstance(value, list | tuple):
        return type(value)(_address(part) for part in value)
    return value.address if hasattr(value, "address") else value


def check_prepared(stage: Stage, receipts: Sequence[Receipt]) -> None:
    """Raises EngineError if what an actor had to do before the attack was refused."""
    for actor in stage.actors.values():
        for receipt in receipts:
            for event in actor.contract.events(receipt.logs, "Refused"):
                reason = decode_error(event["reason"])
                raise EngineError(f"what {actor.name} does before the attack failed: {reason}")
