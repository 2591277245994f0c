"""Margin calls of a lending market: episodes in which a health factor is below its call level.

A lending market has no call of its own; a position is called when its health factor, at the
market's prices, falls below the level its owner watches (``call_health_factor``), and the episode
ends when it is back above. An account is called once an episode.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["met", "reduced", "ignored"]


@dataclass(slots=True)
class MarginCall:
    """One episode. ``outcome``: ``met`` if the holder added cash, else ``reduced`` if it sold,
    else ``ignored``; ``ended`` is None while it lasts."""

    account: int
    block: int
    outcome: Outcome = "ignored"
    ended: int | None = None


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

    def answered(self, account: int, action: str) -> None:
        """Notes that a called account's own transaction succeeded."""
        episode = self.open.get(account)
        if episode is None:
            return
        if action == "top_up":
            episode.outcome = "met"
        elif episode.outcome == "ignored":
            episode.outcome = "reduced"

    def counts(self) -> Mapping[str, int]:
        """``count``, and how many were ``met``, ``reduced`` and ``ignored``."""
        episodes = [*self.past, *self.open.values()]
        ended = {"met": 0, "reduced": 0, "ignored": 0}
        for episode in episodes:
            ended[episode.outcome] += 1
        return {"count": len(episodes), **ended}
