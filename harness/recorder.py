"""Turns executed blocks into the rows of a trace: events, failures and lens reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.accounts import account
from harness.agents.inventory import SEIZE, SELL
from harness.agents.keeper import TopTransaction
from harness.books import Books
from harness.builder import Selection
from harness.clearing_recorder import ClearingRecorder
from harness.contracts import Contract, Event, decode_error
from harness.engine.base import Block, Log, Receipt
from harness.errors import EngineError
from harness.exchange_recorder import ExchangeRecorder
from harness.inventory import Inventories
from harness.modules.rows import WATCHED, At, ModuleRows
from harness.orders import DECLARED_GAS, Order
from harness.people import BUILDER
from harness.protocols.clearing import EVENTS as CLEARING_EVENTS
from harness.scenario import Buyer, Depositor, Scenario
from harness.sight import Sight
from harness.trace import (
    BadDebtRow,
    BlockRow,
    CallState,
    FeedPoint,
    LiquidationRow,
    Trace,
    TradeRow,
    TransactionRow,
    VenueBlock,
)
from harness.view import View
from harness.world import World

WAD = 10**18

Decoded = tuple[str, str, dict[str, Any]]


class Recorder:
    """Collects one pass: ``executed`` while the view still shows the state before the block,
    ``block`` once it shows the state after."""

    def __init__(self, world: World, scenario: Scenario, view: View, books: Books) -> None:
        self._world = world
        self._view = view
        self._books = books
        self._space = scenario.block_space
        self._feed_units = {name: 10**source.decimals for name, source in world.sources.items()}
        self.trace = Trace()
        self._sight = Sight(world, scenario, view.start_prices)
        #: how many liquidations are in the blocks before the one at hand
        self._settled = 0
        self._inventories = Inventories()
        self._bad_debt = dict.fromkeys(world.venues, 0)
        self._events: dict[tuple[bytes, bytes], tuple[str, Event]] = {}
        self._modules: dict[str, ModuleRows] = {}
        for name, venue in world.venues.items():
            self._watch(venue.market, name, *venue.EVENTS)
            self._watch(venue.liquidator, "", "LiquidationExecuted")
            if venue.flash_liquidator is not None:
                self._watch(venue.flash_liquidator, "", "FlashLiquidation")
            if venue.module is not None:
                self._watch(venue.module.contract, name, *WATCHED)
                if venue.module.executor is not None:
                    self._watch(venue.module.executor, name, *WATCHED)
                self._modules[name] = ModuleRows(
                    venue, venue.module, world.symbols, self.trace, _agents(scenario)
                )
        for name, vault in world.vaults.items():
            self._watch(vault.vault, name, "Withdraw")
        self._watch(world.router, "", "ForcedTrade")
        self._watch(world.fee_ledger, "", "FeeCharged")
        self._venue_at = {venue.market.address: name for name, venue in world.venues.items()}
        for house in world.clearing.values():
            self._watch(house.house, "", *CLEARING_EVENTS)
        self._clearing = ClearingRecorder(world, view, self.trace)
        self._exchanges = ExchangeRecorder(world, view, books, self.trace, self._sight)
        for name, exchange in world.exchanges.items():
            self._watch(exchange.exchange, name, *ExchangeRecorder.EVENTS)
            self._venue_at[exchange.exchange.address] = name

    def _watch(self, contract: Contract, venue: str, *names: str) -> None:
        for topic, event in contract.artifact.events.items():
            if event.name in names:
                self._events[contract.address, topic] = (venue, event)

    def _decode(self, logs: Sequence[Log]) -> list[Decoded]:
        decoded = []
        for log in logs:
            known = self._events.get((log.address, log.topics[0])) if log.topics else None
            if known is not None:
                venue, event = known
                fields = event.decode(log)
                handle = self._world.venues.get(venue)
                told = [(event.name, fields)] if handle is None else handle.told(event.name, fields)
                decoded += [(name, venue, said) for name, said in told]
        return decoded

    # --- a block's transactions ----------------------------------------------------------

    def executed(
        self,
        index: int,
        block: Block,
        receipts: Sequence[Receipt],
        top: Sequence[TopTransaction],
        chosen: Selection,
    ) -> None:
        """Records what a block's transactions did, and which orders expired."""
        self._sight.next_block()
        for place, entry in enumerate(top):
            self._record_top(index, place, entry, receipts[place])
            if receipts[place].status and entry.action == "transmit":
                self._sight.transmitted(entry.key, entry.observed, block.timestamp)
        if chosen.included:
            self._record_fees(index, len(top), block, receipts[len(top)], chosen.included)
        for place, order in enumerate(chosen.included, len(top) + 1):
            receipt = receipts[place]
            status = "succeeded" if receipt.status else "reverted"
            reason = "" if receipt.status else decode_error(receipt.output or b"")
            self.trace.transactions.append(_order_row(order, index, place, status, reason))
            if receipt.status:
                self._record_events(index, place, order, self._decode(receipt.logs))
        self._add_left_out(chosen.expired, index, "expired")
        self.trace.crowded_blocks += chosen.crowded_out > 0
        self._sight.close_block()

    def _add_left_out(self, orders: Sequence[Order], block: int, status: str) -> None:
        """Records orders that never entered a block."""
        # what follows finds these balances read
        self._view.fee_balances([order.transaction.sender for order in orders])
        self.trace.transactions += [
            _order_row(order, block, -1, status, self._why_waiting(order)) for order in orders
        ]

    def _why_waiting(self, order: Order) -> str:
        """Why an order never entered a block, as far as its last block shows."""
        if order.available > self._view.index:
            return "not due yet"
        if order.bid < self._view.background_bid:
            return "bid below the background bid"
        if self._view.fee_balance(order.transaction.sender) < order.fee:
            return "fee balance too small"
        return "no room in the block"

    def _record_top(self, index: int, place: int, entry: TopTransaction, receipt: Receipt) -> None:
        sent = entry.transaction
        reason = "" if receipt.status else decode_error(receipt.output or b"")
        self.trace.transactions.append(
            TransactionRow(
                block=index,
                place=place,
                agent=entry.agent,
                action=entry.action,
                key=entry.key,
                sender=sent.sender,
                to=sent.to,
                data=sent.data,
                observed=entry.observed,
                available=index,
                bid=0,
                gas=DECLARED_GAS[entry.action],
                status="succeeded" if receipt.status else "reverted",
                reason=reason,
            )
        )

    def _record_events(
        self, index: int, place: int, order: Order, events: Sequence[Decoded]
    ) -> None:
        liquidation: LiquidationRow | None = None
        for module in self._modules.values():
            module.begin()
        for name, venue, fields in events:
            if venue in self._world.exchanges:
                self._exchanges.event(index, place, order, venue, name, fields)
            elif name in CLEARING_EVENTS:
                self._clearing.event(index, place, name, fields)
            elif name == "Liquidate":
                liquidation = self._liquidation(index, place, order, venue, fields)
                self._add(liquidation)
                if order.action == SEIZE:
                    self._inventories.bought(len(self.trace.liquidations), liquidation)
            elif name == "Confiscate" or name in WATCHED:
                self._books.module_event(venue, name, fields, index)
                begun = self._modules[venue].event(name, fields, At(index, place, order.agent))
                if begun is not None:
                    liquidation = begun
                    self._place_in_time(begun)
                    self._add(begun)
            elif venue in self._world.vaults:
                self._books.left_vault(venue, fields["shares"])
            elif name == "DeficitCovered":
                self._record_cover(venue, fields)
            elif name == "BadDebt":
                self._record_bad_debt(index, venue, fields)
            elif name == "AssetConfigured":
                symbol = self._world.symbols[fields["asset"]]
                self._world.venues[venue].configured(symbol, fields["config"][6])
            elif name == "ForcedTrade":
                trade = self._trade(index, place, order, fields)
                self._sight.last_trade = trade.id
                self.trace.trades.append(trade)
                if liquidation is not None:
                    liquidation.trade = trade.id
                if trade.venue in self._modules:
                    self._modules[trade.venue].traded(trade, order.agent)
            elif name == "LiquidationExecuted" and liquidation is not None:
                liquidation.proceeds = fields["proceeds"]
            elif name == "FlashLiquidation" and liquidation is not None:
                liquidation.proceeds = fields["proceeds"] - fields["fee"]

    def _add(self, liquidation: LiquidationRow) -> None:
        self.trace.liquidations.append(liquidation)
        self._books.liquidated(liquidation)

    def _place_in_time(self, row: LiquidationRow) -> None:
        """Since when the account was unhealthy, and which trades its feeds had seen."""
        state = self._view.venues[row.venue]
        row.unhealthy_since = state.unhealthy_since.get(row.account, row.block)
        row.feed_trades = tuple(self._sight.candidates(name) for name in state.venue.feed_names)

    def _liquidation(
        self, index: int, place: int, order: Order, venue: str, fields: dict[str, Any]
    ) -> LiquidationRow:
        handle = self._world.venues[venue]
        number = handle.number_of.get(fields["account"], -1)
        symbols = self._world.symbols
        collateral = symbols[fields["collateralAsset"]]
        price = fields["prices"][handle.assets.index(collateral)]
        fee = fields["protocolFee"] * price // self._world.units[collateral]
        return LiquidationRow(
            block=index,
            place=place,
            venue=venue,
            account=number,
            liquidator=order.agent,
            collateral=collateral,
            debt=symbols[fields["debtAsset"]],
            repaid=fields["repaid"],
            seized=fields["seized"],
            protocol_fee=fields["protocolFee"],
            repaid_usd=fields["repaidUsdWad"],
            seized_usd=fields["seizedUsdWad"],
            health_factor=fields["healthFactorBefore"],
            position=fields["positionBefore"],
            prices=fields["prices"],
            unhealthy_since=self._view.venues[venue].unhealthy_since.get(number, index),
            feed_trades=tuple(self._sight.candidates(name) for name in handle.feed_names),
            thresholds_bps=handle.thresholds_bps,
            taken_usd=fields["seizedUsdWad"] + fee,
            relieved_usd=fields["repaidUsdWad"],
        )

    def _settle(self) -> None:
        """Whose answers the feeds gave is known once the block's rounds have been read."""
        for row in self.trace.liquidations[self._settled :]:
            assets = self._assets_of(row.venue)
            row.feed_trades = tuple(
                self._sight.chosen(symbol, candidates)
                for symbol, candidates in zip(assets, row.feed_trades, strict=True)
            )
        self._settled = len(self.trace.liquidations)

    def _assets_of(self, venue: str) -> tuple[str, ...]:
        """The feeds by which a venue judges its accounts."""
        if venue in self._world.exchanges:
            return self._world.exchanges[venue].judged
        return self._world.venues[venue].feed_names

    def _trade(self, index: int, place: int, order: Order, fields: dict[str, Any]) -> TradeRow:
        symbols = self._world.symbols
        sold = symbols[fields["tokenIn"]]
        if sold in self._world.vault_of:
            bought = self._world.vault_of[sold].spec.asset
        else:
            pool = self._world.pools_at[fields["pool"]]
            bought = pool.quote if sold == pool.base else pool.base
        venue = self._venue_at.get(fields["origin"], "")
        number, call, after = -1, None, 0
        if venue in self._world.exchanges:
            number, call, after = self._exchanges.trader(venue, order)
        elif venue:
            number = self._world.venues[venue].number_of.get(fields["account"], -1)
            call = self._call_state(venue, number) if order.action == "deleverage" else None
        if order.action == SELL:
            after = self._inventories.sold(
                order.agent, sold, fields["amountIn"], fields["amountOut"]
            )
        return TradeRow(
            id=fields["id"],
            block=index,
            place=place,
            venue=venue,
            account=number,
            action=order.action,
            sold=sold,
            bought=bought,
            amount_in=fields["amountIn"],
            amount_out=fields["amountOut"],
            spot_before=fields["spotBefore"],
            spot_after=fields["spotAfter"],
            call=call,
            after=after,
            redeemed=fields["pool"] == fields["tokenIn"],
        )

    def _call_state(self, venue: str, number: int) -> CallState | None:
        state = self._view.venues[venue]
        called = state.calls.open.get(number)
        if called is None:
            return None
        return CallState(
            called_since=called.block,
            position=state.venue.position_words(number, state.states),
            prices=tuple(state.oracle_prices),
            feed_trades=tuple(self._sight.givers(name) for name in state.venue.feed_names),
            thresholds_bps=state.venue.thresholds_bps,
        )

    def _record_cover(self, venue: str, fields: dict[str, Any]) -> None:
        """Reserves were set against a deficit (a payer is anybody else)."""
        if not any(fields["payer"]):
            key = venue, self._world.symbols[fields["asset"]]
            self.trace.covered[key] = self.trace.covered.get(key, 0) + fields["assets"]

    def _record_bad_debt(self, index: int, venue: str, fields: dict[str, Any]) -> None:
        row = BadDebtRow(
            block=index,
            venue=venue,
            account=self._world.venues[venue].number_of.get(fields["account"], -1),
            asset=self._world.symbols[fields["asset"]],
            amount=fields["assets"],
            usd=fields["usdWad"],
        )
        self._bad_debt[venue] += row.usd
        self._books.wrote_off(row)
        self.trace.bad_debts.append(row)

    def _record_fees(
        self, index: int, place: int, block: Block, receipt: Receipt, included: Sequence[Order]
    ) -> None:
        if not receipt.status:
            reason = decode_error(receipt.output or b"")
            raise EngineError(f"block {block.number}: fees could not be charged: {reason}")
        sent = block.transactions[place]
        self.trace.transactions.append(
            TransactionRow(
                block=index,
                place=place,
                agent="builder",
                action="charge",
                key="",
                sender=BUILDER,
                to=sent.to,
                data=sent.data,
                observed=index - 1,
                available=index,
                bid=0,
                gas=0,
                status="succeeded",
                reason="",
            )
        )
        charged = [fields["fee"] for _, _, fields in self._decode(receipt.logs)]
        for order, fee in zip(included, charged, strict=True):
            self.trace.fees[order.agent] = self.trace.fees.get(order.agent, 0) + fee

    # --- the state after a block ---------------------------------------------------------

    def block(self, index: int, block: Block, digest: bytes) -> None:
        """Records the state after a block."""
        view = self._view
        for name, rows in self._modules.items():
            rows.close_block(view.venues[name].states)
        self._sight.settle(view.feeds, view.timestamp)
        self._settle()
        feeds = {
            name: FeedPoint(round_.answer * WAD // self._feed_units[name], self._sight.seen(name))
            for name, round_ in view.feeds.items()
        }
        for symbol, round_ in view.feeds.items():
            self.trace.rounds.setdefault(symbol, []).append(round_)
        self.trace.blocks.append(
            BlockRow(
                index=index,
                number=block.number,
                timestamp=block.timestamp,
                digest=digest,
                external=dict(view.external),
                feeds=feeds,
                reserves=dict(view.reserves),
                venues={name: self._venue_block(name) for name in view.venues},
                waiting=len(view.mempool),
                background_bid=view.background_bid,
                exchanges={name: self._exchanges.block(name) for name in view.exchanges},
                vaults=dict(view.vaults),
            )
        )
        self._exchanges.done()

    def _venue_block(self, name: str) -> VenueBlock:
        state = self._view.venues[name]
        external = [self._view.external_wad(symbol) for symbol in state.venue.assets]
        outside, oracle = state.shortfalls(external)
        return VenueBlock(
            states=tuple(state.states),
            shortfall_market=outside.market,
            shortfall_liquidation=outside.liquidation,
            shortfall_oracle=oracle,
            bad_debt=self._bad_debt[name],
            unhealthy=len(state.unhealthy_since),
            called=len(state.calls.open),
        )

    def finish(self, waiting: Sequence[Order], digest: bytes) -> Trace:
        """Closes the trace: orders still waiting, margin calls, and the run's digest."""
        self._add_left_out(waiting, self._view.index, "pending")
        books = {name: state.calls for name, state in self._view.venues.items()}
        books |= {name: state.calls for name, state in self._view.exchanges.items()}
        for name, calls in books.items():
            self.trace.calls[name] = [*calls.past, *calls.open.values()]
        self.trace.invariants = dict(self._books.holds)
        self.trace.violations = list(self._books.violations)
        self._clearing.judge()
        self.trace.digest = digest
        return self.trace


def _agents(scenario: Scenario) -> dict[bytes, str]:
    """Names of those who get collateral from modules, by address."""
    specs: list[Buyer | Depositor] = [*scenario.agents_of(Buyer)]
    specs += scenario.agents_of(Depositor)
    return {
        account(spec.name, index).address: f"{spec.name}-{index}" if spec.count > 1 else spec.name
        for spec in specs
        for index in range(spec.count)
    }


def _order_row(order: Order, block: int, place: int, status: str, reason: str) -> TransactionRow:
    sent = order.transaction
    return TransactionRow(
        block=block,
        place=place,
        agent=order.agent,
        action=order.action,
        key=order.key,
        sender=sent.sender,
        to=sent.to,
        data=sent.data,
        observed=order.observed,
        available=order.available,
        bid=order.bid,
        gas=order.gas,
        status=status,
        reason=reason,
    )
