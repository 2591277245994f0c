"""A gift to a vault doubles the price of its shares, which are collateral.

    python scripts/attacks/share_donation.py

Cream Finance, 27 October 2021
"""

from harness.attacks import load_attack, play, transcript

LOAN_USD = 500_000_000
LOAN_ETH = 500_000
LEFT_USD = 8_000_000
LENDABLE_USD = 130_000_000
GROWTH_BPS = 1_000

for remedied in ("false", "true"):
    attack = load_attack(
        "share-donation",
        [
            f"remedied={remedied}",
            f"loan_usd={LOAN_USD}",
            f"loan_eth={LOAN_ETH}",
            f"left_usd={LEFT_USD}",
            f"lendable_usd={LENDABLE_USD}",
            f"growth_bps={GROWTH_BPS}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
