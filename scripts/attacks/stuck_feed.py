"""Collateral bought at the market's price, supplied at the feed's minimum.

    python scripts/attacks/stuck_feed.py

Venus and LUNA, 12 May 2022
"""

from harness.attacks import load_attack, play, transcript

LUNA = 230_000_000
MINIMUM_USD = 0.107
MARKET_USD = 0.01
LTV_BPS = 5_500
LENDABLE_USD = 50_000_000

for remedied in ("false", "true"):
    attack = load_attack(
        "stuck-feed",
        [
            f"remedied={remedied}",
            f"luna={LUNA}",
            f"minimum_usd={MINIMUM_USD}",
            f"market_usd={MARKET_USD}",
            f"ltv_bps={LTV_BPS}",
            f"lendable_usd={LENDABLE_USD}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
