"""The smallest useful engine: another one, remembered."""

from __future__ import annotations

from harness.engine.base import Block, Engine, Receipt

__all__ = ["RecordingEngine"]


class RecordingEngine:
    """Hands everything to another engine and keeps the history that led to the present state.

    Attributes:
        history: every block executed and not reverted, with its receipts.

    """

    def __init__(self, inner: Engine) -> None:
        self.name = f"recording {inner.name}"
        self.history: list[tuple[Block, list[Receipt]]] = []
        self._inner = inner
        self._lengths: dict[int, int] = {}

    def execute(self, block: Block) -> list[Receipt]:
        """See `Engine.execute`."""
        receipts = self._inner.execute(block)
        self.history.append((block, receipts))
        return receipts

    def call(self, to: bytes, data: bytes) -> bytes:
        """See `Engine.call`."""
        return self._inner.call(to, data)

    def snapshot(self) -> int:
        """See `Engine.snapshot`."""
        token = self._inner.snapshot()
        self._lengths[token] = len(self.history)
        return token

    def revert(self, token: int) -> None:
        """See `Engine.revert`. Forgets what is undone."""
        self._inner.revert(token)
        del self.history[self._lengths.pop(token) :]

    def close(self) -> None:
        """See `Engine.close`."""
        self._inner.close()
