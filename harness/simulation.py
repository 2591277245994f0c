"""The block loop: one pass of a scenario over a deployed world, read from the chain as it goes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

from harness.agents import Agent, Context, Publisher
from harness.agents.keeper import TopTransaction
from harness.agents.roster import build_agents, feed_keepers
from harness.books import Books
from harness.builder import (
    Adversarial,
    BlockOrdering,
    FeeAuction,
    RandomOrder,
    Selection,
    merge,
    select,
)
from harness.calls import CallBook
from harness.cross_margin import stand_alone
from harness.cuts import UNCUT, Cuts
from harness.engine.base import Block, Engine, Receipt, Transaction
from harness.engine.digest import DigestChain
from harness.errors import ScenarioError, importable, plugin
from harness.orders import Order
from harness.people import BUILDER
from harness.protocols.perp_exchange import PerpCensus
from harness.protocols.pooled_lending import Census
from harness.recorder import Recorder
from harness.scenario import Scenario
from harness.scenario.names import BORROWERS, HOLDERS, TRADERS
from harness.setup import require_success
from harness.severing import Severing
from harness.trace import Trace
from harness.view import View
from harness.wallets import read_wallets
from harness.world import World


def simulate(
    engine: Engine,
    world: World,
    scenario: Scenario,
    paths: Mapping[str, list[int]],
    seed: int,
    *,
    first_number: int,
    digest: bytes,
    cuts: Cuts = UNCUT,
    after_block: Callable[[int], None] | None = None,
) -> Trace:
    """Runs every block of a scenario on an engine that holds the executed set-up.

    first_number: chain number of the run's block 0, which follows set-up
    digest: the digest chain's value after set-up
    cuts: the links to run without. What severs them are transactions that stay outside the
        digest: in block 0, and before all others of a block.
    after_block: told the index of each block that is done

    Raises EngineError if the engine fails.
    """
    clock, space = scenario.clock, scenario.block_space
    first = Block(first_number, clock.time(0))
    venues = cuts.venues("cross-margin")
    world, parting = stand_alone(engine, world, scenario, venues, first)
    context = Context(world, scenario, seed, cuts)
    agents = build_agents(context)
    publisher = Publisher(dict(world.externals), dict(paths))
    keepers = feed_keepers(context)
    ordering = block_ordering(space.ordering)
    digests = DigestChain(digest)

    severing = Severing(world, scenario, cuts, agents)
    switch = first._replace(transactions=(*parting, *severing.opening()))
    require_success(switch, engine.execute(switch))
    digests.add(Block(switch.number, switch.timestamp), [])
    view = View(engine, world, scenario, paths)
    view.cuts = cuts
    view.update(0, switch.timestamp, [])
    books = Books(engine, world, scenario)
    recorder = Recorder(world, scenario, view, books)
    recorder.block(0, switch, digests.value)
    books.block(view, set())
    recorder.trace.opening = _census(engine, world)
    recorder.trace.opening_wallets = read_wallets(engine, world)
    recorder.trace.exchange_opening = _exchange_census(engine, world)

    answered = _called(view)
    waiting: list[Order] = []
    for index in range(1, clock.blocks):
        top = [*publisher.due(view), *chain.from_iterable(keeper.due(view) for keeper in keepers)]
        offered = merge(waiting, chain.from_iterable(_orders(agent, view) for agent in agents))
        chosen = select(
            ordering,
            offered,
            block=index,
            seed=seed,
            gas_limit=space.gas_limit,
            background_bid=space.background_bid_wei(clock.time(index) - clock.start),
            can_pay=lambda sender, fees: view.fee_balance(sender) >= fees,
            lane=severing.lane,
        )
        block = _assemble(first_number + index, clock.time(index), top, chosen, world)
        receipts = _execute(engine, block, severing.before(index), severing.after())
        digests.add(block, receipts)
        waiting = chosen.waiting
        view.mempool = {(order.agent, order.key): order for order in waiting}
        recorder.executed(index, block, receipts, top, chosen)
        _note_answers(answered, chosen, receipts)
        touched = view.update(index, block.timestamp, receipts)
        books.block(view, touched)
        recorder.block(index, block, digests.value)
        if after_block is not None:
            after_block(index)
    recorder.trace.closing = _census(engine, world)
    recorder.trace.closing_wallets = read_wallets(engine, world)
    recorder.trace.exchange_closing = _exchange_census(engine, world)
    books.close(view)
    final = [engine.call(to, data) for to, data in world.final_reads()]
    return recorder.finish(waiting, digests.finish(final))


def _orders(agent: Agent, view: View) -> Sequence[Order]:
    """An agent's orders; whatever it raises is told in one line, with the agent's name."""
    block = view.next_block
    with plugin(f"agent {agent.name}, before block {block},"):
        orders = agent.act(view)
        for order in orders:
            for fault in order.faults(agent.name, block):
                raise ValueError(f"order {order.action} {order.key}: {fault}")
    return orders


def block_ordering(name: str) -> BlockOrdering:
    """A block ordering by its name in the scenario, or from outside as ``module:Class``.

    Raises ScenarioError if it cannot be imported.
    """
    built_in: dict[str, type[BlockOrdering]] = {
        "fee-auction": FeeAuction,
        "random": RandomOrder,
        "adversarial": Adversarial,
    }
    if name in built_in:
        return built_in[name]()
    module, _, attribute = name.partition(":")
    try:
        made: BlockOrdering = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ScenarioError("block_space.ordering", name, importable(error)) from error
    return made


def _census(engine: Engine, world: World) -> dict[str, Census]:
    return {name: venue.census(engine) for name, venue in world.venues.items()}


def _exchange_census(engine: Engine, world: World) -> dict[str, PerpCensus]:
    return {name: exchange.census(engine) for name, exchange in world.exchanges.items()}


def _execute(
    engine: Engine,
    block: Block,
    first: tuple[Transaction, ...],
    last: tuple[Transaction, ...],
) -> list[Receipt]:
    """Executes a block between transactions that nobody is to see; their receipts are left out."""
    if not first and not last:
        return engine.execute(block)
    whole = block._replace(transactions=(*first, *block.transactions, *last))
    receipts = engine.execute(whole)
    end = len(receipts) - len(last)
    require_success(whole._replace(transactions=first), receipts[: len(first)])
    require_success(whole._replace(transactions=last), receipts[end:])
    return receipts[len(first) : end]


def _called(view: View) -> dict[str, CallBook]:
    """The margin calls that an agent answers, by its name."""
    books = {f"{who}{n}": v.calls for who in (BORROWERS, HOLDERS) for n, v in view.venues.items()}
    return books | {f"{TRADERS}{name}": venue.calls for name, venue in view.exchanges.items()}


def _note_answers(
    books: Mapping[str, CallBook], chosen: Selection, receipts: Sequence[Receipt]
) -> None:
    """Marks the margin calls that called accounts answered in this block."""
    last = len(chosen.included)
    for order, receipt in zip(chosen.included, receipts[-last:] if last else [], strict=True):
        calls = books.get(order.agent)
        if receipt.status and calls is not None:
            calls.answered(int(order.key), order.action)


def _assemble(
    number: int,
    timestamp: int,
    top: Sequence[TopTransaction],
    chosen: Selection,
    world: World,
) -> Block:
    """Top of the block, one transaction that charges fees, and the orders that pay them.

    Fees come first, so that nothing an order does can leave its block unpaid.
    """
    transactions = [entry.transaction for entry in top]
    if chosen.included:
        data = world.fee_ledger.encode(
            "charge",
            [order.transaction.sender for order in chosen.included],
            [order.gas for order in chosen.included],
            [order.bid for order in chosen.included],
        )
        transactions.append(Transaction(BUILDER, world.fee_ledger.address, data))
    transactions += [order.transaction for order in chosen.included]
    return Block(number, timestamp, tuple(transactions))
