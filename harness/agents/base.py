"""What an agent is, and what agents share: outages, bids and the making of orders."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from harness import rng
from harness.cuts import UNCUT, Cuts
from harness.engine.base import Transaction
from harness.orders import DECLARED_GAS, Order
from harness.scenario import BPS, Bid, Outages, Scenario, Withdrawal
from harness.view import View
from harness.world import World


class Agent(Protocol):
    """Plug point: a participant. A scenario names one from outside as ``module:Class``.

    One that serves a single venue says which in an attribute ``venue``: its orders are that
    venue's where venues have blocks of their own (`harness.cuts`).
    """

    name: str

    def act(self, view: View) -> Sequence[Order]:
        """Orders for the next block, on the state after the last one."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What an agent is built with."""

    world: World
    scenario: Scenario
    seed: int
    cuts: Cuts = UNCUT


@runtime_checkable
class OutsideAgent(Protocol):
    """What a scenario's ``[[agent]] kind = "module:Class"`` has to offer beside its fields."""

    def build(self, index: int, context: Context) -> Agent:
        """The agent number ``index`` of the ``count`` that the scenario asks for."""
        ...


class OutageClock:
    """When a participant is out: stated windows, and outages drawn block by block."""

    def __init__(self, outages: Outages, context: Context, name: str) -> None:
        self._outages = outages
        self._drawn: set[int] = set()
        if outages.chance_bps:
            for block in range(context.scenario.clock.blocks):
                number = rng.draw(context.seed, "outage", name, block, "start")
                if rng.chance(number, outages.chance_bps):
                    self._drawn.update(range(block, block + outages.duration_blocks))

    def out(self, view: View) -> bool:
        """Whether the participant does nothing for the next block."""
        return view.next_block in self._drawn or self._outages.scheduled(view.seconds)


class WithdrawalClock:
    """When a participant has left the market because of a fall (see `Withdrawal`)."""

    def __init__(self, terms: Withdrawal, context: Context, group: str, name: str) -> None:
        self._terms = terms
        self._seed = context.seed
        self._group = group
        self._name = name
        self._window = FallWindow(terms.window_s)
        self._drawn_at: int | None = None
        self._gone = False

    def gone(self, view: View) -> bool:
        """Whether the participant is away in the next block."""
        terms = self._terms
        if not terms.fall_bps:
            return False
        fall = self._window.fall_bps(view.timestamp, view.external[terms.asset])
        if self._drawn_at is not None and view.timestamp >= self._drawn_at + terms.absence_s:
            self._drawn_at, self._gone = None, False
        if self._drawn_at is None and fall >= terms.fall_bps:
            self._drawn_at, self._gone = view.timestamp, self._leaves(view.index)
        return self._gone

    def _leaves(self, block: int) -> bool:
        """One draw for all of a group or one for each, as a draw of the group decides."""
        common = rng.draw(self._seed, "withdrawal", self._group, block, "common")
        who = self._group if rng.chance(common, self._terms.common_bps) else self._name
        own = rng.draw(self._seed, "withdrawal", who, block, "leave")
        return rng.chance(own, self._terms.chance_bps)


class FallWindow:
    """The prices of the last seconds, and how far the latest is below the highest."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._prices: deque[tuple[int, int]] = deque()

    def fall_bps(self, timestamp: int, price: int) -> int:
        """Takes in a price; the fall from the window's highest, in bps rounded down."""
        prices = self._prices
        # only prices above every later one can still become the highest
        while prices and prices[-1][1] <= price:
            prices.pop()
        prices.append((timestamp, price))
        while prices[0][0] < timestamp - self._seconds:
            prices.popleft()
        highest = prices[0][1]
        return (highest - price) * BPS // highest if highest else 0


class OrderMaker:
    """Writes an agent's orders: bid, latency and term."""

    def __init__(self, context: Context, name: str, sender: bytes, bid: Bid, latency: int) -> None:
        self._expiry = context.scenario.block_space.expiry_blocks
        self._name = name
        self._sender = sender
        self._bid = bid
        self._latency = latency

    def bid(self, view: View, key: str) -> int:
        """What the agent bids for this matter now: more for each block its order has waited."""
        held = view.mempool.get((self._name, key))
        waited = 0 if held is None else max(0, view.next_block - held.available)
        return self._bid.wei(view.background_bid, waited)

    def raised(self, view: View, key: str) -> list[Order]:
        """The order that waits for this matter at what is bid now, where bids rise with the wait;
        none otherwise."""
        held = view.mempool.get((self._name, key))
        block = view.next_block
        if held is None or not self._bid.escalation_bps or held.expires < block:
            return []
        available = max(held.available, block)
        bid = self.bid(view, key)
        return [replace(held, bid=bid, observed=view.index, available=available)]

    def order(
        self, view: View, action: str, key: str, to: bytes, data: bytes, gas: int | None = None
    ) -> Order:
        """An order that may enter the next block, or as many later as the agent is slow.

        gas: what an action declares that is not in DECLARED_GAS
        """
        available = view.next_block + self._latency
        return Order(
            transaction=Transaction(self._sender, to, data),
            action=action,
            agent=self._name,
            key=key,
            gas=DECLARED_GAS[action] if gas is None else gas,
            bid=self.bid(view, key),
            observed=view.index,
            available=available,
            expires=available + self._expiry,
        )
