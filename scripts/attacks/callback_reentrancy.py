"""A second loan inside the transfer of the first, before its debt is booked.

    python scripts/attacks/callback_reentrancy.py

Cream Finance and AMP, 30 August 2021
"""

from harness.attacks import load_attack, play, transcript

ETH = 500
LTV_BPS = 7_500
LENDABLE_ETH = 5_000
LENDABLE_AMP = 100_000_000

for remedied in ("false", "true"):
    attack = load_attack(
        "callback-reentrancy",
        [
            f"remedied={remedied}",
            f"eth={ETH}",
            f"ltv_bps={LTV_BPS}",
            f"lendable_eth={LENDABLE_ETH}",
            f"lendable_amp={LENDABLE_AMP}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
