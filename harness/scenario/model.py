"""The scenario model, ``schema = 1``: what a run consists of, as frozen dataclasses.

A field's name carries its unit (``_usd``, ``_s`` seconds, ``_bps`` 1/10,000, ``_pips`` 1/1,000,000,
``_gwei``); token amounts are in whole tokens, rates are fractions per year, seconds count from
``clock.start``. Amounts are decimal numbers as written; :func:`base_units` and its neighbours turn
them into integers exactly. Arrays are singular in the file (``[[asset]]``, ``[[venue]]``) and
plural here.

Families (:class:`PriceProcess`, :class:`Feed`, :class:`Venue`, :class:`Population`,
:class:`Agent`) are told apart by a tag in the file; a new member is a dataclass that derives from
the family, inside this package or named as ``module:Class``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeVar

from harness.scenario._decode import Key
from harness.scenario.agents import Agent
from harness.scenario.assets import Asset
from harness.scenario.audit import Audit
from harness.scenario.blocks import BlockSpace, Clock
from harness.scenario.populations import Population
from harness.scenario.prices import Correlation
from harness.scenario.units import Name
from harness.scenario.venues import Venue, by_symbol


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything a run depends on besides the seed and the engine.

    ``expect`` says what must happen for a run to count: ``liquidations``, or ``quiet`` where
    nothing moving is the point. ``warnings`` (not part of the file) name what is allowed but
    unwise, such as a threshold x (1 + bonus) of 1 or more; ``origin`` is what names the scenario
    on the command line, where it came from there.
    """

    name: Name
    clock: Clock
    assets: Annotated[tuple[Asset, ...], Key("asset")]
    schema: Literal[1] = 1
    title: str = ""
    description: str = ""
    expect: Literal["liquidations", "quiet"] = "liquidations"
    sources: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    limitations: tuple[str, ...] = ()
    block_space: BlockSpace = BlockSpace()
    correlations: Annotated[tuple[Correlation, ...], Key("correlation")] = ()
    venues: Annotated[tuple[Venue, ...], Key("venue")] = ()
    populations: Annotated[tuple[Population, ...], Key("population")] = ()
    agents: Annotated[tuple[Agent, ...], Key("agent")] = ()
    audit: Audit = field(default_factory=Audit)
    warnings: tuple[str, ...] = field(default=(), compare=False, metadata={"in_file": False})
    origin: str = field(default="", compare=False, metadata={"in_file": False})

    def asset(self, symbol: str) -> Asset:
        """The asset with this symbol. Raises KeyError."""
        return by_symbol(self.assets, symbol)

    def venue(self, name: str) -> Venue:
        """The venue of this name. Raises KeyError."""
        for venue in self.venues:
            if venue.name == name:
                return venue
        raise KeyError(name)

    def venue_as(self, cls: type[V], name: str) -> V:
        """The venue of this class and name. Raises KeyError."""
        found = self.venue(name)
        if not isinstance(found, cls):
            raise KeyError(name)
        return found

    def venues_of(self, cls: type[V]) -> tuple[V, ...]:
        """The venues of one class, in the file's order."""
        return tuple(venue for venue in self.venues if isinstance(venue, cls))

    def agents_of(self, cls: type[A]) -> tuple[A, ...]:
        """The agents of one class, in the file's order."""
        return tuple(agent for agent in self.agents if isinstance(agent, cls))


V = TypeVar("V", bound=Venue)
A = TypeVar("A", bound=Agent)
