"""Finished trials on disk, one file each, so that killing a process loses none of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from harness.experiments.trial import TrialRow


class Store:
    """A folder of trial rows, by key. One process writes it.

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
        beside = self._folder / f"{row.key}.tmp"
        beside.write_text(text, "utf-8")
        os.replace(beside, self._folder / f"{row.key}.json")  # noqa: PTH105 - named for what it is
