"""Block orderings that fail: one says so, one takes its process with it."""

from __future__ import annotations

import os
import signal
from typing import Any


class Raises:
    """Raises in the first block that has an order."""

    def arrange(self, *arguments: Any, **named: Any) -> Any:
        raise ValueError("no order today")


class Dies:
    """Kills its process."""

    def arrange(self, *arguments: Any, **named: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)
