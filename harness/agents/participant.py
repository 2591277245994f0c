"""What agents of one venue have in common: a name, an account, outages, and orders."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from harness.accounts import account
from harness.agents.base import Context, OrderMaker, OutageClock
from harness.scenario import Bid, Outages


class ParticipantSpec(Protocol):
    """The fields of a scenario's agent that a `Participant` is made from."""

    @property
    def name(self) -> str: ...

    @property
    def venue(self) -> str: ...

    @property
    def count(self) -> int: ...

    @property
    def latency_blocks(self) -> int: ...

    @property
    def bid(self) -> Bid: ...

    @property
    def outages(self) -> Outages: ...


S = TypeVar("S", bound=ParticipantSpec)


class Participant(Generic[S]):
    """Base of agents that act on one venue, from an account of their own."""

    def __init__(self, spec: S, index: int, context: Context) -> None:
        self.name = f"{spec.name}-{index}" if spec.count > 1 else spec.name
        self.venue = spec.venue
        self._spec = spec
        self._world = context.world
        self._sender = account(spec.name, index).address
        self._outages = OutageClock(spec.outages, context, self.name)
        self._maker = OrderMaker(context, self.name, self._sender, spec.bid, spec.latency_blocks)
