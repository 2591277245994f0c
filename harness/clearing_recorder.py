"""What clearing houses tell, for a `Recorder`, into its trace."""

from __future__ import annotations

from typing import Any

from harness.trace import Trace, WaterfallRow
from harness.world import World


class ClearingRecorder:
    """Records the events of clearing houses, by exchange and round."""

    def __init__(self, world: World, trace: Trace) -> None:
        self._trace = trace
        self._venues = {venue.exchange.address: venue for venue in world.exchanges.values()}

    def event(self, index: int, place: int, name: str, fields: dict[str, Any]) -> None:
        """Records one event."""
        venue = self._venues[fields["venue"]]
        word = fields.get("account", fields.get("payer", b""))
        number = venue.number_of.get(word, -1)
        row = WaterfallRow(index, place, venue.name, fields.get("round", 0), name, number, fields)
        self._trace.waterfall.append(row)
