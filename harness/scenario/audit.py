"""What an audit of a scenario's parameters asks for: the ``[audit]`` table.

>>> from harness.scenario import load_scenario
>>> load_scenario("calm", ["audit.appetite_bps=5"]).audit.appetite_bps
5.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from harness.scenario._decode import Key, Pattern, Range, TableOf

_Name = Annotated[str, Pattern(r"[A-Za-z0-9_-]{1,64}", "letters, digits, _ and -, at most 64")]
_Symbol = Annotated[str, Pattern(r"[A-Za-z0-9]{1,16}", "letters and digits, at most 16")]
_Seconds = Annotated[int, Range(0, 10**9)]
_Move = Annotated[float, Range(0, 5)]
_Address = Annotated[str, Pattern(r"0x[0-9a-fA-F]{40}", "0x and 40 hexadecimal digits")]


@dataclass(frozen=True, slots=True)
class Stress:
    """A class of crises, of which every run of an audit draws one.

    ``downturn``: the ``assets`` fall together. ``broken-correlation``: one of them, drawn, leaves
    its reference, ``direction`` up or down, while the others stay. ``as-is``: nothing but what the
    scenario's own prices do.

    The move is a log return of ``threshold`` + an exponential excess of mean ``mean_excess``: peaks
    over a threshold, as a generalised Pareto distribution of shape 0 (McNeil, Frey, Embrechts,
    Quantitative Risk Management, 2005, chapter 7). Figures are therefore given a crisis of at least
    the threshold. It begins at ``at_s`` and takes a time drawn evenly from ``ramp_s``.

    Without ``assets``: in a downturn those that are collateral of a borrower and start more than
    5% away from 1 USD; in a broken correlation all others that are listed.
    """

    name: _Name
    kind: Literal["downturn", "broken-correlation", "as-is"]
    assets: tuple[_Symbol, ...] = ()
    direction: Literal["down", "up", "either"] = "down"
    threshold: _Move = 0.10
    mean_excess: _Move = 0.10
    at_s: _Seconds = 60
    ramp_s: tuple[_Seconds, _Seconds] = (0, 0)


@dataclass(frozen=True, slots=True)
class Audit:
    """The risk appetite, the crises, and how many runs are spent.

    The appetite is met if, in every class of crises, the expected shortfall of insolvency at
    ``level`` is at most ``appetite_bps`` of what is supplied.

    runs: of every class for the verdict; search_runs: of the worst class for every candidate value
    steps: halvings of the interval in which a bound lies
    health, depth: factors on health factors and on depth of which every pair is tried
    trajectories: of the sensitivity analysis (Morris); 0: none
    confidence: c of SmartLTV
    manipulator_usd: what somebody could raise to push a spot price, for the largest open interest
    tokens: addresses by symbol, for tables of depth that name tokens so
    stresses: by default a downturn and a broken correlation, or ``as-is`` for a replay
    """

    level: Annotated[float, Range(0.5, 0.9999)] = 0.99
    appetite_bps: Annotated[float, Range(0, 10_000)] = 10.0
    runs: Annotated[int, Range(20, 1_000_000)] = 100
    search_runs: Annotated[int, Range(10, 100_000)] = 20
    steps: Annotated[int, Range(1, 20)] = 3
    health: tuple[Annotated[float, Range(0.1, 10)], ...] = (0.9, 1.0, 1.1)
    depth: tuple[Annotated[float, Range(0.001, 1000)], ...] = (0.25, 0.5, 1.0, 2.0)
    trajectories: Annotated[int, Range(0, 1000)] = 3
    confidence: Annotated[float, Range(0, 20)] = 3.0
    manipulator_usd: Annotated[float, Range(0, 1e15)] = 10_000_000.0
    tokens: Annotated[tuple[tuple[str, _Address], ...], TableOf()] = ()
    stresses: Annotated[tuple[Stress, ...], Key("stress")] = ()
