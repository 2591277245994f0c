"""An attack inside a scenario: its script is an agent of the block loop.

Borrowers, keepers, liquidators and arbitrageurs act as they would; the script's transactions are
orders that bid for their place like everybody's. The same scenario and seed run without the attack
first, from the same set-up, so that only what the attack adds counts as its damage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.agents.base import Agent, Context
from harness.attacks.holdings import IsolatedClaims, PooledClaims, Snapshot, Valuer
from harness.attacks.perps import PerpClaims
from harness.attacks.player import Performance, advance, check_set_up
from harness.attacks.result import AttackResult, as_usd
from harness.attacks.script import Attack
from harness.attacks.stage import Lending, Sent, Stage
from harness.builder import FeeAuction
from harness.engine.base import Block, Engine, Receipt
from harness.engine.digest import DigestChain
from harness.orders import Order
from harness.people import USD
from harness.protocols.isolated_lending import IsolatedLendingVenue
from harness.run import set_up
from harness.scenario import PRICE_UNIT, Scenario, load_scenario
from harness.simulation import simulate
from harness.trace import Trace
from harness.view import View
from harness.world import World

__all__ = ["Campaign", "Favouring"]

NAME = "attack"


class Favouring:
    """Block ordering of a builder on the attacker's side: what it places first comes first, what it
    places last comes last, everybody else by fee. A scenario names it as
    ``harness.attacks.campaign:Favouring``."""

    def arrange(self, orders: Sequence[Order], seed: int, block: int) -> list[Order]:
        """See `BlockOrdering.arrange`."""
        rank = {"attack-first": 0, "attack-last": 2}
        by_fee = FeeAuction().arrange(orders, seed, block)
        return sorted(by_fee, key=lambda order: rank.get(order.action, 1))


@dataclass(frozen=True)
class _Part:
    """The script as an agent of the scenario; see `harness.agents.OutsideAgent`."""

    agent: Agent
    name: str = NAME
    count: int = 1

    def build(self, index: int, context: Context) -> Agent:
        """See `OutsideAgent.build`."""
        return self.agent

    def tag_value(self) -> str:
        """How errors call it."""
        return NAME


class _Witness:
    """An engine that tells what became of each block."""

    def __init__(self, engine: Engine, told: Callable[[Block, list[Receipt]], None]) -> None:
        self.name = engine.name
        self._engine = engine
        self._told = told
        self.call = engine.call
        self.snapshot = engine.snapshot
        self.revert = engine.revert
        self.close = engine.close

    def execute(self, block: Block) -> list[Receipt]:
        receipts = self._engine.execute(block)
        self._told(block, receipts)
        return receipts


class Campaign:
    """One play of an attack in its scenario."""

    def __init__(self, attack: Attack, engine: Engine, seed: int) -> None:
        self._attack = attack
        self._engine = engine
        self._seed = seed
        self._scenario = load_scenario(attack.scenario, attack.settings(attack.parameters))
        self._paths, self._world = set_up(self._scenario, seed)
        self._stage = _stage(engine, self._scenario, self._world)
        self._performance = Performance(attack, self._stage, seed)
        self._digests = DigestChain()
        self._script = attack.play(self._stage, attack.parameters)
        #: blocks until the script goes on; None once it has ended
        self._pause: int | None = None
        self._waiting: dict[bytes, Sent] = {}
        self._sent = 0
        self.name = NAME

    def play(self) -> AttackResult:
        """Without the attack, then with it, from the same snapshot."""
        attack, stage, performance = self._attack, self._stage, self._performance
        self._pause = advance(attack, stage, self._script)
        blocks = stage.setup.blocks(self._scenario.clock.start)
        ledger = performance.ledger
        ledger.holders.update(dict.fromkeys(self._world.holders))
        for block in blocks:
            receipts = self._engine.execute(block)
            check_set_up(attack, stage, block, receipts)
            self._digests.add(block, receipts)
            ledger.watch(receipts)
        stage.number, stage.now = blocks[-1].number, blocks[-1].timestamp
        performance.first_block = stage.number
        stage.prices.update(_start_prices(self._paths))
        ledger.open()

        token = self._engine.snapshot()
        performance.without = ledger.damage(*self._end(self._run(self._engine, self._scenario)))
        self._engine.revert(token)
        ledger.holders.clear()
        ledger.holders.update(dict.fromkeys(ledger.first.tokens))
        ledger.minted.clear()
        stage.prices.update(_start_prices(self._paths))

        part: Any = _Part(self)  # not read from a file, and so none of the kinds a file can name
        with_attack = replace(self._scenario, agents=(*self._scenario.agents, part))
        trace = self._run(_Witness(self._engine, self._executed), with_attack)
        self._set_prices(trace.blocks[-1].external)
        stage.measure(
            "insolvency_without_attack_usd", as_usd(sum(performance.without.insolvency.values()))
        )
        return performance.result(self._digests, digest=trace.digest)

    # ---- as an agent

    def act(self, view: View) -> Sequence[Order]:
        """Lets the script go on once its blocks have passed; its transactions as orders."""
        stage = self._stage
        self._set_prices(view.external)
        stage.number = self._performance.first_block + 1 + view.index
        stage.now = view.timestamp
        if self._pause is not None:
            self._pause -= 1
            if self._pause <= 0:
                self._pause = advance(self._attack, stage, self._script)
        ready, stage.pending = stage.due()
        orders = []
        for sent in ready:
            order = stage.order(sent, self._sent)
            self._sent += 1
            self._waiting[sent.transaction.data + sent.transaction.to] = sent
            sent.bid = order.bid = max(sent.bid, view.background_bid)
            order.agent = NAME
            order.observed, order.available = view.index, view.next_block
            order.expires = view.next_block + self._scenario.block_space.expiry_blocks
            orders.append(order)
        return orders

    # ---- inside

    def _run(self, engine: Engine, scenario: Scenario) -> Trace:
        return simulate(
            engine,
            replace(self._world, holders=tuple(self._performance.ledger.holders)),
            scenario,
            self._paths,
            self._seed,
            first_number=self._performance.first_block + 1,
            digest=self._digests.value,
        )

    def _end(self, trace: Trace) -> tuple[Snapshot, Valuer]:
        self._set_prices(trace.blocks[-1].external)
        return self._performance.ledger.read(), self._stage.valuer()

    def _executed(self, block: Block, receipts: list[Receipt]) -> None:
        self._performance.ledger.watch(receipts)
        included = []
        for transaction, receipt in zip(block.transactions, receipts, strict=True):
            sent = self._waiting.pop(transaction.data + transaction.to, None)
            if sent is not None:
                sent.executed(block.number, receipt)
                included.append(sent)
        self._stage.number, self._stage.now = block.number, block.timestamp
        if included:
            self._performance.ledger.paid(included)
            self._performance.note(included)

    def _set_prices(self, external: dict[str, int]) -> None:
        self._stage.prices.update(external)


def _stage(engine: Engine, scenario: Scenario, world: World) -> Stage:
    """A stage on which the scenario's world is already there."""
    clock = scenario.clock
    stage = Stage(engine, start=clock.start, seconds_per_block=clock.seconds_per_block)
    stage.setup = world.setup
    stage.tokens.update(world.tokens)
    stage.decimals.update(world.decimals)
    stage.feeds.update(world.feeds)
    stage.pools.update({name: pool.contract for name, pool in world.pools.items()})
    stage.prices.update({asset.symbol: 0 for asset in scenario.assets})
    stage.prices[USD] = PRICE_UNIT
    stage.fee_ledger, stage.fee_symbol = world.fee_ledger, scenario.block_space.fee_asset
    stage.world = world
    for name, venue in world.venues.items():
        tokens = {symbol: world.tokens[symbol] for symbol in venue.assets}
        stage.markets[name] = Lending(name, venue.market, tokens)
        if isinstance(venue, IsolatedLendingVenue):
            collateral, debt = venue.assets
            stage.venues.append(IsolatedClaims(name, venue.market, collateral, debt))
        else:
            stage.venues.append(PooledClaims(name, venue.market, tokens))
    for name, held in world.exchanges.items():
        stage.venues.append(PerpClaims(name, held.exchange, held.settlement))
    stage.count_fees()
    return stage


def _start_prices(paths: dict[str, list[int]]) -> dict[str, int]:
    return {symbol: path[0] for symbol, path in paths.items()}
