"""Collateral redeemable at a dollar is marked where it trades at less.

    python scripts/attacks/venue_mark.py

USDe on one exchange, 10-11 October 2025
"""

from harness.attacks import load_attack, play, transcript

USDE = 50_000_000
DEBT_RATIO = 0.8
LOW_USD = 0.65
POOL_USDE = 20_000_000
ACCOUNTS = 5
BONUS_BPS = 500

for remedied in ("false", "true"):
    attack = load_attack(
        "venue-mark",
        [
            f"remedied={remedied}",
            f"usde={USDE}",
            f"debt_ratio={DEBT_RATIO}",
            f"low_usd={LOW_USD}",
            f"pool_usde={POOL_USDE}",
            f"accounts={ACCOUNTS}",
            f"bonus_bps={BONUS_BPS}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
