"""Whether a remedy avoids losses or moves them from one group to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from harness.risk.intervals import Interval

Cells = Mapping[str, Interval | None]

#: Who bears a loss, and the figure that tells it: insolvency is the suppliers' sooner or later.
BEARERS: Mapping[str, str] = {
    "suppliers": "insolvency_usd",
    "borrowers": "borrower_loss_usd",
}


#: What is smaller is the rounding of a feed, not a change.
_ROUNDING = 1e-9


class Shift(NamedTuple):
    """A remedy that takes losses off one group and puts them on another."""

    remedy: str
    spared: str
    burdened: str

    @property
    def told(self) -> str:
        """Whose losses fall and whose rise. Suppliers' are told as the figure judged: what they
        have lost by the end may have fallen while insolvency, theirs later, has risen."""
        told = {"suppliers": ("insolvency falls", "insolvency rises")}
        spared = told.get(self.spared, (f"{self.spared} lose less", ""))[0]
        burdened = told.get(self.burdened, ("", f"{self.burdened} lose more"))[1]
        return f"{spared}, {burdened}"


def direction(change: Interval | None) -> int:
    """1 if a change is above zero with all of its interval, -1 if below, 0 if that cannot be told;
    so also for one seed, which has no interval."""
    if change is None or change.low is None or change.high is None:
        return 0
    return (change.low > _ROUNDING) - (change.high < -_ROUNDING)


def shifts(differences: Mapping[str, Cells]) -> list[Shift]:
    """The remedies under which one group clearly loses less and another clearly more."""
    found = []
    for remedy, cells in differences.items():
        signs = {group: direction(cells[figure]) for group, figure in BEARERS.items()}
        spared = [group for group, sign in signs.items() if sign < 0]
        burdened = [group for group, sign in signs.items() if sign > 0]
        found += [Shift(remedy, one, other) for one in spared for other in burdened]
    return found
