"""What agents with an account of their own have in common: a name, outages, orders."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from harness.accounts import account
from harness.agents.base import Context, OrderMaker, OutageClock
from harness.orders import Order
from harness.scenario import Bid, Outages
from harness.view import View


class ParticipantSpec(Protocol):
    """The fields of a scenario's agent that a `Participant` is made from."""

    @property
    def name(self) -> str: ...

    @property
    def count(self) -> int: ...

    @property
    def latency_blocks(self) -> int: ...

    @property
    def bid(self) -> Bid: ...

    @property
    def outages(self) -> Outages: ...


class VenueSpec(ParticipantSpec, Protocol):
    """The same of one who serves a venue."""

    @property
    def venue(self) -> str: ...


S = TypeVar("S", bound=ParticipantSpec)
V = TypeVar("V", bound=VenueSpec)


class Participant(Generic[S]):
    """Base of agents that act from one account.

    sender: the account, by default that of the name and the index
    """

    def __init__(
        self, spec: S, index: int, context: Context, *, sender: bytes | None = None
    ) -> None:
        self.name = f"{spec.name}-{index}" if spec.count > 1 else spec.name
        self._spec = spec
        self._world = context.world
        self._fee_asset = context.scenario.block_space.fee_asset
        self._sender = account(spec.name, index).address if sender is None else sender
        self._outages = OutageClock(spec.outages, context, self.name)
        self._maker = OrderMaker(context, self.name, self._sender, spec.bid, spec.latency_blocks)

    def _raised(self, view: View) -> list[Order]:
        """All its orders that wait, at what is bid now."""
        keys = [key for owner, key in view.mempool if owner == self.name]
        return [order for key in keys for order in self._maker.raised(view, key)]


class VenueParticipant(Participant[V]):
    """Base of those that act on one venue."""

    def __init__(
        self, spec: V, index: int, context: Context, *, sender: bytes | None = None
    ) -> None:
        super().__init__(spec, index, context, sender=sender)
        self.venue = spec.venue


__all__ = ["Participant", "ParticipantSpec", "VenueParticipant", "VenueSpec"]
