"""How prices move outside: processes, shocks and correlations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from harness.scenario._decode import Family, Instant, Key, Range
from harness.scenario.units import Seconds, Symbol


@dataclass(frozen=True, slots=True)
class Shock:
    """A multiplication of the price by ``factor`` from a time on.

    Spread log-linearly over ``ramp_s`` seconds (0: in one block). It stays in force.
    """

    at_s: Seconds
    factor: Annotated[float, Range(1e-6, 1e6)]
    ramp_s: Seconds = 0


class PriceProcess(Family):
    """How an asset's fundamental price moves (``[asset.price] process = ...``)."""

    __slots__ = ()
    tag: ClassVar[str] = "process"


@dataclass(frozen=True, slots=True)
class ConstantPrice(PriceProcess):
    """The start price throughout, but for the shocks."""

    kind_name: ClassVar[str] = "constant"
    shocks: Annotated[tuple[Shock, ...], Key("shock")] = ()


@dataclass(frozen=True, slots=True)
class SchedulePrice(PriceProcess):
    """Points [seconds, value]: prices in USD, or factors on the start price.

    Between points the value stays (``step``) or moves log-linearly; before the first point the
    start price is in force (log-linear: the path runs from it), after the last the last value.
    """

    kind_name: ClassVar[str] = "schedule"
    points: tuple[tuple[Seconds, Annotated[float, Range(1e-8, 1e12)]], ...]
    values: Literal["price", "factor"] = "price"
    interpolation: Literal["step", "log-linear"] = "step"
    shocks: Annotated[tuple[Shock, ...], Key("shock")] = ()


@dataclass(frozen=True, slots=True)
class JumpDiffusionPrice(PriceProcess):
    """Merton's jump-diffusion: d log P = (mu - sigma^2/2) dt + sigma dW + jumps.

    ``mu`` and ``sigma`` per year of 365 days; jumps arrive as a Poisson process of
    ``jumps_per_year`` with log sizes normal(``jump_mean``, ``jump_sd``), uncompensated (``mu`` is
    the drift apart from jumps). Correlations between assets are stated in ``[[correlation]]``.
    """

    kind_name: ClassVar[str] = "jump-diffusion"
    sigma: Annotated[float, Range(0, 50)]
    mu: Annotated[float, Range(-100, 100)] = 0.0
    jumps_per_year: Annotated[float, Range(0, 1e6)] = 0.0
    jump_mean: Annotated[float, Range(-10, 10)] = 0.0
    jump_sd: Annotated[float, Range(0, 10)] = 0.0
    shocks: Annotated[tuple[Shock, ...], Key("shock")] = ()


@dataclass(frozen=True, slots=True)
class ReplayPrice(PriceProcess):
    """A historical series: the price at each time stamp (epoch seconds).

    A block takes the last price at or before its own time (``last``), or the log-linear
    interpolation between the prices on both sides. After the last stamp the last price holds.
    ``file`` names a CSV (relative to the scenario file) instead of ``points``; loading replaces
    it by its points. ``max_gap_s`` declares the widest spacing that is not a gap (0: unchecked).
    ``scale`` multiplies every price.
    """

    kind_name: ClassVar[str] = "replay"
    points: tuple[tuple[Annotated[int, Instant()], Annotated[float, Range(1e-8, 1e12)]], ...] = ()
    file: str = ""
    interpolation: Literal["last", "log-linear"] = "last"
    max_gap_s: Seconds = 0
    scale: Annotated[float, Range(1e-6, 1e6)] = 1.0
    shocks: Annotated[tuple[Shock, ...], Key("shock")] = ()


@dataclass(frozen=True, slots=True)
class SharePrice(PriceProcess):
    """What a vault's share is worth: the vault's assets, at their outside price, by its shares.

    Read from the chain after every block; without losses and interest it is the price of the
    vault's asset, as at the start.
    """

    kind_name: ClassVar[str] = "share-price"


@dataclass(frozen=True, slots=True)
class Correlation:
    """Correlation of the diffusions of jump-diffusion assets.

    Either ``matrix`` (symmetric, ones on the diagonal, positive semi-definite) or ``loadings`` on
    one common factor (correlation of i and j: the product of their loadings). With
    ``jumps = "common"`` the assets jump in the same blocks, at the first asset's intensity, with
    sizes correlated in the same way; otherwise jumps are independent.

    ``tail_degrees`` joins the diffusions by a Student copula of so many degrees of freedom (even;
    the fewer, the more often all assets have their worst blocks together); 0 is a Gaussian one.
    """

    assets: tuple[Symbol, ...]
    matrix: tuple[tuple[Annotated[float, Range(-1, 1)], ...], ...] = ()
    loadings: tuple[Annotated[float, Range(-1, 1)], ...] = ()
    jumps: Literal["independent", "common"] = "independent"
    tail_degrees: Annotated[int, Range(0, 200)] = 0

    def rows(self) -> tuple[tuple[float, ...], ...]:
        """The correlation matrix, whichever way it was given."""
        if self.matrix:
            return self.matrix
        return tuple(
            tuple(1.0 if i == j else a * b for j, b in enumerate(self.loadings))
            for i, a in enumerate(self.loadings)
        )
