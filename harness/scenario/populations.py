"""Accounts that hold positions at the start, and how they answer margin calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from harness.scenario._decode import Family, Instant, Key, Range
from harness.scenario.blocks import Bid
from harness.scenario.units import (
    BPS,
    Amount,
    Amounts,
    Blocks,
    Bps,
    Columns,
    Name,
    Places,
    Symbol,
    Usd,
)


@dataclass(frozen=True, slots=True)
class Response:
    """What borrowers do when their health factor falls below ``call_health_factor``.

    Each borrower is once and for all one who tops up (``top_up_bps`` of them), deleverages
    (``deleverage_bps``), moves collateral from the holder's positions in other venues
    (``move_bps``) or does nothing (the rest), waits between the two ``latency_blocks``
    (inclusive) and then aims at ``target_health_factor``. Who tops up has cash worth ``cash_bps``
    of the debt at the start, in the collateral or the debt asset (``cash_in``).
    """

    top_up_bps: Bps = 0
    deleverage_bps: Bps = 0
    call_health_factor: Annotated[float, Range(1, 100)] = 1.05
    target_health_factor: Annotated[float, Range(1, 100)] = 1.25
    latency_blocks: tuple[Blocks, Blocks] = (1, 1)
    cash_bps: Annotated[int, Range(0, 100 * BPS)] = 0
    cash_in: Literal["collateral", "debt"] = "collateral"
    fee_deposit: Amount = 0.1
    """Tokens of the fee asset each borrower has for fees."""
    bid: Bid = Bid()
    move_bps: Bps = 0


@dataclass(frozen=True, slots=True)
class HealthDistribution:
    """Health factors at the start: the excess over ``origin`` is lognormal.

    With this median and log standard deviation, truncated to [``min``, ``max``]. ``scale`` then
    multiplies the health factors; none is set below the lowest that can be opened, which is
    threshold / LTV.
    """

    excess_median: Annotated[float, Range(0, 1000, above=True)]
    excess_sigma: Annotated[float, Range(0, 10, above=True)]
    origin: Annotated[float, Range(0, 1000)] = 1.0
    min: Annotated[float, Range(1, 1000)] = 1.04
    max: Annotated[float, Range(1, 1e6)] = 100.0
    scale: Annotated[float, Range(0.01, 100)] = 1.0


@dataclass(frozen=True, slots=True)
class SizeDistribution:
    """Debt sizes at the start: lognormal, with a given sum.

    With this log standard deviation, scaled so that they add up to ``total_debt_usd`` and none is
    below ``min_debt_usd``.

    ``correlation`` is that of a Gaussian copula between size and health factor. ``sampling``:
    ``random`` draws every account; ``stratified`` takes the quantiles (i + 1/2)/count of size and
    of health factor, so that both distributions are the same for every seed and only the matching
    between them is drawn.
    """

    total_debt_usd: Annotated[float, Range(0, 1e15, above=True)]
    sigma: Annotated[float, Range(0, 10)]
    min_debt_usd: Usd = 0.0
    correlation: Annotated[float, Range(-1, 1)] = 0.0
    sampling: Literal["random", "stratified"] = "random"


class Population(Family):
    """Accounts that hold positions (``[[population]] kind = ...``)."""

    __slots__ = ()
    tag: ClassVar[str] = "kind"
    name: str
    venue: str


@dataclass(frozen=True, slots=True)
class Borrowers(Population):
    """Borrowers of one debt against one collateral.

    Drawn from a joint distribution of health factor and size. With ``holders`` the accounts are
    those of another population, number by number: the same holders in another venue.
    """

    kind_name: ClassVar[str] = "borrowers"
    name: Name
    venue: Name
    count: Annotated[int, Range(1, 1_000_000)]
    collateral: Symbol
    debt: Symbol
    health: HealthDistribution
    size: SizeDistribution
    response: Response = Response()
    holders: str = ""


@dataclass(frozen=True, slots=True)
class PositionRow:
    """One account's position: tokens supplied and borrowed, by symbol."""

    supplied: Amounts = ()
    borrowed: Amounts = ()
    account: str = ""


@dataclass(frozen=True, slots=True)
class PositionTable:
    """A file of positions, and which of its columns say what.

    ``file`` is a CSV or JSON file, perhaps gzipped, relative to the scenario file. ``account`` is
    the column that names the account; ``supplied`` and ``borrowed`` give the column of amounts for
    each symbol, ``"-column"`` to subtract it. Amounts are in whole tokens, those of columns named
    in ``decimals`` in base units of so many decimals; an empty cell is 0. With neither
    ``supplied`` nor ``borrowed`` the file has the columns collateral_asset, collateral_amount,
    debt_asset and debt_amount. ``records`` leads to the list of a JSON document (keys joined by
    dots, as are the columns of objects within its rows).

    ``time`` makes the file a log of events, whose amounts may be negative: the column of times or
    of block numbers, which :attr:`Positions.until` refers to.
    """

    file: str
    account: str = "account"
    supplied: Columns = ()
    borrowed: Columns = ()
    decimals: Places = ()
    records: str = ""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Positions(Population):
    """Positions one by one.

    In the file (``[[population.position]]``), or from files (``[[population.table]]``, or ``file``
    for one table with the columns account, collateral_asset, collateral_amount, debt_asset and
    debt_amount), which loading replaces by their rows. An account's rows add up, over all tables.

    ``until`` is the last time (or block number) of events that count. ``negative`` says what
    becomes of an account's sum below 0, as logs without interest give it: ``refuse``, or ``zero``
    to take it as 0. ``unhealthy`` says what becomes of positions whose debt is above collateral x
    threshold at the start prices, which no market would open: ``refuse``, or ``drop`` to leave them
    out. Whatever is changed or left out is counted in a warning; ``notes`` are those of loading.
    """

    kind_name: ClassVar[str] = "positions"
    name: Name
    venue: Name
    positions: Annotated[tuple[PositionRow, ...], Key("position")] = ()
    file: str = ""
    tables: Annotated[tuple[PositionTable, ...], Key("table")] = ()
    until: Annotated[int, Instant(), Range(0, 10**11)] | None = None
    negative: Literal["refuse", "zero"] = "refuse"
    unhealthy: Literal["refuse", "drop"] = "refuse"
    notes: tuple[str, ...] = ()
    response: Response = Response()
    holders: str = ""
