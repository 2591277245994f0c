"""Pushed feeds to build other feeds from."""

from __future__ import annotations

from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract
from harness.errors import Reverted

REPORTER = account("reporter").address


class Feeds:
    """Makes feeds, writes them and reads them."""

    def __init__(self, chain: Any) -> None:
        self.chain = chain

    def push(self, answer: int | None = None, decimals: int = 8) -> Contract:
        """A feed of one's own, with a first answer if one is given."""
        feed: Contract = self.chain.deploy("PushFeed", REPORTER, decimals, "pushed")
        if answer is not None:
            self.write(feed, answer)
        return feed

    def write(self, feed: Contract, answer: int, after: int = 1) -> None:
        """A new round."""
        self.chain.send(REPORTER, feed, "transmit", answer, after=after)

    def answer(self, feed: Contract) -> int:
        """The latest answer; Reverted if it is refused."""
        return int(self.chain.read(feed, "latestRoundData")[1])

    def updated_at(self, feed: Contract) -> int:
        """When the latest answer is from."""
        return int(self.chain.read(feed, "latestRoundData")[3])

    def outcome(self, feed: Contract) -> int | str:
        """The latest answer, or the name of the error."""
        try:
            return self.answer(feed)
        except Reverted as error:
            return str(error).partition("(")[0]


@pytest.fixture
def feeds(chain: Any) -> Feeds:
    """Feeds on the test's chain."""
    return Feeds(chain)
