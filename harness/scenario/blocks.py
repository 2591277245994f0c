"""Blocks: their times, what they hold, what it costs to get in, and who is not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from harness.scenario._decode import Instant, Pattern, Range
from harness.scenario.units import BPS, Bps, Gwei, Seconds, Symbol, Window, gwei_wei


@dataclass(frozen=True, slots=True)
class Clock:
    """Blocks and time. Block i of the run (from 0) has the time ``start + i * seconds_per_block``.

    Every price path holds one price for each block; the one of block 0 is also the price at which
    markets, pools and positions are set up, in blocks of a second each before ``start``.
    """

    blocks: Annotated[int, Range(1, 1_000_000)]
    seconds_per_block: Annotated[int, Range(1, 86_400)]
    start: Annotated[int, Instant(), Range(1_000_000, 10**11)]

    def time(self, block: int) -> int:
        """Epoch seconds of a block of the run."""
        return self.start + block * self.seconds_per_block


@dataclass(frozen=True, slots=True)
class BlockSpace:
    """What blocks hold and what it costs to get in.

    ``gas_limit`` is the declared gas for agents' transactions in a block. ``background_bid_gwei``
    is the bid of everyone outside the scenario as steps [seconds, gwei]: a transaction that bids
    less than the prevailing step waits, and expires after ``expiry_blocks``.
    """

    gas_limit: Annotated[int, Range(1, 10**12)] = 10_000_000
    expiry_blocks: Annotated[int, Range(1, 10_000_000)] = 25
    ordering: Annotated[
        str,
        Pattern(
            r"fee-auction|random|adversarial|[\w.]+:[\w.]+",
            "one of fee-auction, random, adversarial, or module:Class",
        ),
    ] = "fee-auction"
    fee_asset: Symbol = "ETH"
    background_bid_gwei: tuple[tuple[Seconds, Gwei], ...] = ()

    def background_bid_wei(self, seconds: int) -> int:
        """The prevailing background bid (wei of the fee asset per gas) at a time of the run."""
        bid = 0.0
        for since, gwei in self.background_bid_gwei:
            if since > seconds:
                break
            bid = gwei
        return gwei_wei(bid)


@dataclass(frozen=True, slots=True)
class Bid:
    """How a participant bids for block space.

    The bid is the larger of ``base_gwei`` and ``follow_bps`` of the background bid seen when it is
    made (0: does not follow the market), raised by ``escalation_bps`` for each block waited, at
    most ``max_gwei``.
    """

    base_gwei: Gwei = 10.0
    follow_bps: Annotated[int, Range(0, 1_000_000)] = 0
    escalation_bps: Annotated[int, Range(0, 1_000_000)] = 0
    max_gwei: Gwei = 1000.0

    def wei(self, background_wei: int, blocks_waited: int) -> int:
        """The bid in wei of the fee asset per gas, in integers throughout."""
        start = max(gwei_wei(self.base_gwei), background_wei * self.follow_bps // BPS)
        raised = start + start * self.escalation_bps * blocks_waited // BPS
        return min(raised, gwei_wei(self.max_gwei))


@dataclass(frozen=True, slots=True)
class Outages:
    """When a participant does nothing.

    In the stated ``windows`` [start, end) of seconds; and, beginning in any block with a chance of
    ``chance_bps``, for ``duration_blocks``.
    """

    windows: tuple[Window, ...] = ()
    chance_bps: Bps = 0
    duration_blocks: Annotated[int, Range(1, 1_000_000)] = 1

    def scheduled(self, seconds: int) -> bool:
        """Whether a stated window covers this time of the run."""
        return any(start <= seconds < end for start, end in self.windows)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """When participants of one kind leave the market because it falls, and for how long.

    Once the outside price of ``asset`` is ``fall_bps`` below its highest of the last ``window_s``
    seconds (0: never), each of them leaves with a chance of ``chance_bps``, for ``absence_s``
    seconds. With a chance of ``common_bps`` one draw decides for all of them, else each has its
    own: at 10,000 they all leave or all stay. It is drawn once a fall: again only after the
    absence has passed.
    """

    asset: str = ""
    fall_bps: Bps = 0
    window_s: Annotated[int, Range(1, 10**9)] = 3600
    chance_bps: Bps = BPS
    common_bps: Bps = 0
    absence_s: Annotated[int, Range(1, 10**9)] = 3600
