"""A debt split over accounts none of which is worth its liquidation.

    python scripts/attacks/dust_positions.py

Maker's dust parameter; Aave v3.3's minimum leftover
"""

from harness.attacks import load_attack, play, transcript

DEBT_USDC = 9_600
ACCOUNTS = 16
FALL_USD = 1_200
STEPS = 8
BID_GWEI = 100
FLOOR_USDC = 2_000

for remedied in ("false", "true"):
    attack = load_attack(
        "dust-positions",
        [
            f"remedied={remedied}",
            f"debt_usdc={DEBT_USDC}",
            f"accounts={ACCOUNTS}",
            f"fall_usd={FALL_USD}",
            f"steps={STEPS}",
            f"bid_gwei={BID_GWEI}",
            f"floor_usdc={FLOOR_USDC}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
