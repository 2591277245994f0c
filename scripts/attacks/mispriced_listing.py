"""A new feed prices the collateral at a two-thousandth.

    python scripts/attacks/mispriced_listing.py

Moonwell and cbETH, 15 February 2026
"""

from harness.attacks import load_attack, play, transcript

CBETH = 1_096
DEBT_USD = 1_780_000
RATE = 1.12
PRICE_USD = 2_200
BORROWERS = 4
BONUS_BPS = 1_000
BOUND_BPS = 1_000

for remedied in ("false", "true"):
    attack = load_attack(
        "mispriced-listing",
        [
            f"remedied={remedied}",
            f"cbeth={CBETH}",
            f"debt_usd={DEBT_USD}",
            f"rate={RATE}",
            f"price_usd={PRICE_USD}",
            f"borrowers={BORROWERS}",
            f"bonus_bps={BONUS_BPS}",
            f"bound_bps={BOUND_BPS}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
