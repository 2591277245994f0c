"""Those who may change a market while it runs: a guardian who pauses it, a governor who moves its
liquidation threshold. Both send ordinary transactions as the market's admin, with a bid and a
latency: a remedy that does not reach its block remedies nothing."""

from __future__ import annotations

from collections import deque

from harness.agents.base import Context, FallWindow
from harness.agents.participant import VenueParticipant
from harness.orders import Order
from harness.people import ADMIN
from harness.scenario import Governor, Guardian, usd_wad
from harness.view import View


class GuardianAgent(VenueParticipant[Guardian]):
    """Pauses a market in a fall or a run of liquidations, and opens it again later.

    An order that expires did nothing: it asks again to open, and to pause if there is still reason.
    """

    def __init__(self, spec: Guardian, index: int, context: Context) -> None:
        super().__init__(spec, index, context, sender=ADMIN)
        self._market = context.world.venues[spec.venue].market
        self._window = FallWindow(spec.window_s)
        self._repaid: deque[tuple[int, int]] = deque()
        self._paused_at: int | None = None
        self._armed_from = 0
        #: the last order, until it is known what became of it
        self._sent: Order | None = None

    def act(self, view: View) -> list[Order]:
        """The order to pause or to open, if it is time for either."""
        fall = self._window.fall_bps(view.timestamp, view.feeds[self._spec.asset].answer)
        repaid = self._recent(view)
        self._look_after_order(view)
        if self._outages.out(view):
            return []
        if view.waiting(self.name):
            return self._raised(view)
        if self._paused_at is not None:
            if view.timestamp < self._paused_at + self._spec.pause_s:
                return []
            return [self._order(view, paused=False)]
        limit = usd_wad(self._spec.liquidated_usd)
        falling = self._spec.fall_bps and fall >= self._spec.fall_bps
        if view.timestamp < self._armed_from or not (falling or (limit and repaid >= limit)):
            return []
        self._paused_at = view.timestamp
        self._armed_from = view.timestamp + self._spec.pause_s + self._spec.window_s
        return [self._order(view, paused=True)]

    def _look_after_order(self, view: View) -> None:
        """Notes whether the last order has entered a block: if not, nothing has changed."""
        sent = self._sent
        if sent is None or view.waiting(self.name):
            return
        entered = view.index <= sent.expires
        if sent.key == str(True):
            if not entered:
                self._paused_at, self._armed_from = None, 0
        elif entered:
            self._paused_at = None
        self._sent = None

    def _recent(self, view: View) -> int:
        """USD (WAD) of debt liquidated within the window."""
        total = view.venues[self._spec.venue].liquidated_usd
        self._repaid.append((view.timestamp, total))
        while len(self._repaid) > 1 and self._repaid[1][0] <= view.timestamp - self._spec.window_s:
            self._repaid.popleft()
        return total - self._repaid[0][1]

    def _order(self, view: View, *, paused: bool) -> Order:
        grace = 0 if paused else self._spec.grace_s
        data = self._market.encode("setPaused", paused, grace)
        self._sent = self._maker.order(view, "set_paused", str(paused), self._market.address, data)
        return self._sent


class GovernorAgent(VenueParticipant[Governor]):
    """Keeps the threshold at the step that the fall of the price asks for."""

    def __init__(self, spec: Governor, index: int, context: Context) -> None:
        super().__init__(spec, index, context, sender=ADMIN)
        self._venue = context.world.venues[spec.venue]
        self._window = FallWindow(spec.window_s)
        self._place = self._venue.assets.index(spec.asset)
        self._listed = self._venue.spec.assets[self._place].liquidation_threshold_bps

    def act(self, view: View) -> list[Order]:
        """The order that sets another threshold, if another step is in force."""
        fall = self._window.fall_bps(view.timestamp, view.feeds[self._spec.asset].answer)
        if self._outages.out(view):
            return []
        if view.waiting(self.name):
            return self._raised(view)
        wanted = self._listed
        for least, threshold in self._spec.steps:
            if fall >= least:
                wanted = threshold
        if wanted == self._venue.thresholds_bps[self._place]:
            return []
        data = self._venue.with_threshold(self._spec.asset, wanted)
        return [self._maker.order(view, "set_threshold", "", self._venue.market.address, data)]
