"""Links between venues, and which of them a run is without.

A link (i, channel) is one way in which venue i and the others reach each other:

============ =================================================================================
price        i's forced trades move prices, or take cash out of a vault where they redeem its
             shares; cut: they go to the sink at the current quote
oracle       i reads feeds that others read and move; cut: i reads what they say without any
             forced trade, the rounds of the twin
holder       holders move collateral between i and other venues, and sell or borrow elsewhere when
             exchange i calls them; cut: they leave the others alone for i, and i for the others
lender       lenders of i answer losses elsewhere, and elsewhere losses of i; cut: neither
liquidator   liquidators of i serve other venues from the same capital; cut: they have as much
             again for i alone
claims       vaults that lend to i pass its losses on to whoever takes their shares, and redeem
             shares with i's cash; cut: what i loses is made good to them at the end of each
             block, and forced redemptions are paid by the sink
block-space  orders about i compete with the others for gas; cut: i has blocks of its own
cross-margin several positions of an account of i have one margin; cut: each stands alone, with
             its own part of it: on an exchange a position in one market, in a lending market a
             pair of a collateral and a debt (`harness.cross_margin`)
============ =================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

Channel = Literal[
    "price",
    "oracle",
    "holder",
    "lender",
    "liquidator",
    "claims",
    "block-space",
    "cross-margin",
]

CHANNELS: tuple[Channel, ...] = get_args(Channel)

#: (answer, round, time of update in epoch seconds) of a feed after a block, as the lens reads it
Round = tuple[int, int, int]


class Link(NamedTuple):
    """One channel of one venue."""

    venue: str
    channel: Channel

    def __str__(self) -> str:
        return f"{self.venue}/{self.channel}"


@dataclass(frozen=True, slots=True)
class Cuts:
    """What a run is without.

    Attributes:
        links: the links that are cut
        every_sale: fill every forced trade by the sink, whatever its origin: the twin
        rounds: after each block of the twin the round of every feed, by name; needed where an
            oracle link is cut
    """

    links: frozenset[Link] = frozenset()
    every_sale: bool = False
    rounds: Mapping[str, Sequence[Round]] = field(default_factory=dict)

    def has(self, venue: str, channel: Channel) -> bool:
        """Whether this link is cut."""
        return (venue, channel) in self.links

    def sells_to_sink(self, venue: str) -> bool:
        """Whether forced trades of this venue are filled at the quote, moving nothing."""
        return self.every_sale or self.has(venue, "price")

    def venues(self, channel: Channel) -> tuple[str, ...]:
        """The venues of which this channel is cut, in order of their names."""
        return tuple(sorted(link.venue for link in self.links if link.channel == channel))


UNCUT = Cuts()
TWIN = Cuts(every_sale=True)
