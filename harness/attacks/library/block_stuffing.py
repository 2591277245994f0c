"""Blocks are filled with dear transactions while a market falls, and liquidators wait outside.

Stuffing costs the attacker the fees of whole blocks; what it gains lies elsewhere (a short, or a
bid at an auction that nobody else reaches, as on 12 March 2020). The damage is the bad debt of
positions that could not be closed in time. Borrowers, liquidators and keepers act as in the
scenario.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from harness.attacks.calls import transfer
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage

GWEI = 10**9
#: of the scenario's blocks; one that fills them leaves no room
BLOCK_GAS = 6_000_000
FALL_S = 1_200


@dataclass(frozen=True)
class Stuffing(Parameters):
    """fall_bps: of the price, within ramp_s from the twentieth minute on.

    stuffed_blocks: from the beginning of the fall
    bid_gwei: the attacker's
    liquidators_gwei: the most a liquidator bids; remedied, it bids that from the start
    """

    fall_bps: int = 5_000
    ramp_s: int = 900
    stuffed_blocks: int = 30
    bid_gwei: int = 200
    liquidators_gwei: int = 250


def settings(p: Stuffing) -> Sequence[str]:
    """A quiet scenario, with a fall, and positions nearer to their limits."""
    base = p.liquidators_gwei if p.remedied else 10
    bid = f"base_gwei = {base}, follow_bps = 11_000, max_gwei = {p.liquidators_gwei}"
    shock = f"at_s = {FALL_S}, factor = {1 - p.fall_bps / 10_000}, ramp_s = {p.ramp_s}"
    return (
        "clock.blocks=60",
        f"asset.ETH.price.shock=[{{ {shock} }}]",
        "expect=liquidations",
        f"agent.keeper.bid={{ {bid} }}",
        "population.borrowers.health.excess_median=0.5",
        "population.borrowers.health.min=1.1",
    )


def play(stage: Stage, p: Stuffing) -> Generator[int | None, None, None]:
    """Fills every block from the beginning of the fall."""
    attacker = stage.actor("attacker")
    whole = p.stuffed_blocks * BLOCK_GAS * p.bid_gwei / GWEI
    stage.deposit_fees(attacker, round(whole, 9))
    yield FALL_S // stage.seconds_per_block
    first = stage.number + 1
    late = 0
    for place in range(p.stuffed_blocks):
        nothing = transfer(stage.tokens["ETH"], attacker, 0)
        sent = stage.send("fill the block", attacker, nothing, bid=p.bid_gwei * GWEI, gas=BLOCK_GAS)
        yield None
        late += sent.block != first + place
    if late:
        stage.guard(f"NotIncluded: outbid in {late} of {p.stuffed_blocks} blocks")


ATTACK = Attack(
    name="block-stuffing",
    title="blocks are filled while a market falls, liquidators wait outside",
    sources=(
        "Block stuffing, as Fomo3D's last round of August 2018",
        "Keepers priced out of blocks, Maker, 12 March 2020",
    ),
    play=play,
    parameters=Stuffing(),
    remedy="liquidators who bid what a liquidation is worth, not a little above the others",
    stopped_by="NotIncluded",
    protocol=(Check("insolvency", at_most=100_000),),
    goal=lambda _: Check("insolvency", at_least=100_001),
    scenario="calm",
    settings=settings,
)
