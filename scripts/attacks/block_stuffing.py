"""Blocks are filled while a market falls, liquidators wait outside.

    python scripts/attacks/block_stuffing.py

Block stuffing, as Fomo3D's last round of August 2018
Keepers priced out of blocks, Maker, 12 March 2020
"""

from harness.attacks import load_attack, play, transcript

FALL_BPS = 5_000
RAMP_S = 900
STUFFED_BLOCKS = 30
BID_GWEI = 200
LIQUIDATORS_GWEI = 250

for remedied in ("false", "true"):
    attack = load_attack(
        "block-stuffing",
        [
            f"remedied={remedied}",
            f"fall_bps={FALL_BPS}",
            f"ramp_s={RAMP_S}",
            f"stuffed_blocks={STUFFED_BLOCKS}",
            f"bid_gwei={BID_GWEI}",
            f"liquidators_gwei={LIQUIDATORS_GWEI}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
