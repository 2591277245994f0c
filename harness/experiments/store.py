"""Finished trials on disk, one file each, so that killing a process loses none of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from harness.experiments.trial import TrialRow


class Store:
    """A folder of trial rows, by key. Workers return rows; whoever has the store writes them.

    A row is written beside its place and renamed into it: at any moment a file is there whole or
    not at all.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: str) -> TrialRow | None:
        """The row of a finished trial; None if there is none, or none that can be read."""
        try:
            row = TrialRow.from_json(json.loads((self._folder / f"{key}.json").read_bytes()))
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None
        return row if row.key == key else None

    def put(self, row: TrialRow) -> None:
        """Keeps a row, atomically."""
        text = json.dumps(row.as_json(), allow_nan=False)
        beside = self._folder / f"{row.key}.{os.getpid()}.tmp"
        beside.write_text(text, "utf-8")
        beside.replace(self._folder / f"{row.key}.json")

    def count(self, keys: Iterable[str]) -> int:
        """How many of these trials are finished."""
        return sum((self._folder / f"{key}.json").exists() for key in keys)

    def tidy(self) -> None:
        """Deletes what killed processes left half written."""
        for file in self._folder.glob("*.tmp"):
            file.unlink(missing_ok=True)
