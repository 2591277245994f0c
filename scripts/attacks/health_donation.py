"""A gift to the reserves makes an account unhealthy, its owner liquidates it.

    python scripts/attacks/health_donation.py

Euler Finance, 13 March 2023
"""

from harness.attacks import load_attack, play, transcript

LENDABLE_USD = 197_000_000
OWN_USD = 100_000_000
LEVERAGE = 19
GIFT_USD = 515_000_000
MAX_DISCOUNT_BPS = 2_000

for remedied in ("false", "true"):
    attack = load_attack(
        "health-donation",
        [
            f"remedied={remedied}",
            f"lendable_usd={LENDABLE_USD}",
            f"own_usd={OWN_USD}",
            f"leverage={LEVERAGE}",
            f"gift_usd={GIFT_USD}",
            f"max_discount_bps={MAX_DISCOUNT_BPS}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
