"""Those who answer margin calls for the accounts of a venue, each of them with an account's own
orders."""

from __future__ import annotations

from abc import ABC, abstractmethod

from harness.agents.base import Context, OrderMaker
from harness.orders import Order
from harness.scenario import Borrowers, Positions, Traders
from harness.view import View


class CalledAccounts(ABC):
    """Base of agents that act for the called accounts of one venue. An order's key is the account's
    number."""

    def __init__(self, name: str, venue: str, context: Context) -> None:
        self.name = name
        self.venue = venue
        self._context = context
        self._world = context.world
        self._bids = {
            population.name: population.response.bid
            for population in context.scenario.populations
            if isinstance(population, Borrowers | Positions | Traders)
        }
        self._makers: dict[bytes, OrderMaker] = {}

    @abstractmethod
    def _maker(self, number: int) -> OrderMaker:
        """Writes an account's orders."""

    def _maker_of(self, sender: bytes, population: str) -> OrderMaker:
        if sender not in self._makers:
            bid = self._bids[population]
            self._makers[sender] = OrderMaker(self._context, self.name, sender, bid, 0)
        return self._makers[sender]

    def _raised(self, view: View) -> list[Order]:
        """The orders of theirs that wait, at what is bid now."""
        keys = [key for owner, key in view.mempool if owner == self.name]
        return [order for key in keys for order in self._maker(int(key)).raised(view, key)]


class CalledBorrowers(CalledAccounts):
    """The same for accounts of a lending venue."""

    def _maker(self, number: int) -> OrderMaker:
        venue = self._world.venues[self.venue]
        return self._maker_of(venue.accounts[number], venue.positions[number].population)


__all__ = ["CalledAccounts", "CalledBorrowers"]
