"""Margin calls: episodes in which an account is below its call level, once called an episode.

A lending market has no call of its own; a position is called when its health factor, at the
market's prices, falls below the level its owner watches (``call_health_factor``), and the episode
ends when it is back above. A perpetual exchange records its calls on chain; the book follows its
events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["met", "reduced", "ignored"]

#: what an answer makes of a call, by action; what only prepares an answer is none yet
_ANSWERS: Mapping[str, Outcome] = {
    "top_up": "met",
    "pay_in": "met",
    "deleverage": "reduced",
    "reduce": "reduced",
}


@dataclass(slots=True)
class MarginCall:
    """One episode. ``outcome``: ``met`` if the holder added cash, else ``reduced`` if it sold,
    else ``ignored``; ``ended`` is None while it lasts. On an exchange ``end`` says how it ended
    (``restored``, ``taken over``; empty while it lasts), and ``liquidations`` counts those in it.
    """

    account: int
    block: int
    outcome: Outcome = "ignored"
    ended: int | None = None
    end: str = ""
    liquidations: int = 0


@dataclass(slots=True)
class CallBook:
    """The calls of one venue, open and past."""

    open: dict[int, MarginCall] = field(default_factory=dict)
    past: list[MarginCall] = field(default_factory=list)

    def update(self, block: int, called: Iterable[int]) -> None:
        """Opens and ends episodes: ``called`` are all accounts below their call level now."""
        now = set(called)
        if now == self.open.keys():
            return
        for account in [account for account in self.open if account not in now]:
            episode = self.open.pop(account)
            episode.ended = block
            self.past.append(episode)
        for account in sorted(now - self.open.keys()):
            self.open[account] = MarginCall(account, block)

    def begin(self, account: int, block: int) -> None:
        """Opens an episode that the chain has recorded."""
        self.open[account] = MarginCall(account, block)

    def end(self, account: int, block: int, end: str) -> None:
        """Ends an episode as the chain says; nothing happens if there is none."""
        episode = self.open.pop(account, None)
        if episode is not None:
            episode.ended, episode.end = block, end
            self.past.append(episode)

    def liquidated(self, account: int) -> None:
        """Notes a liquidation during an episode."""
        if account in self.open:
            self.open[account].liquidations += 1

    def answered(self, account: int, action: str) -> None:
        """Notes that a called account's own transaction succeeded."""
        episode = self.open.get(account)
        outcome = _ANSWERS.get(action)
        if episode is not None and outcome is not None and episode.outcome != "met":
            episode.outcome = outcome

    def counts(self) -> Mapping[str, int]:
        """``count``, and how many were ``met``, ``reduced`` and ``ignored``."""
        episodes = [*self.past, *self.open.values()]
        ended = {"met": 0, "reduced": 0, "ignored": 0}
        for episode in episodes:
            ended[episode.outcome] += 1
        return {"count": len(episodes), **ended}
