"""Two liquidations in one transaction take more than the close factor allows.

    python scripts/attacks/two_step_liquidation.py

Qin, Zhou, Gamito, Jovanovic, Gervais, An empirical study of DeFi liquidations, IMC 2021
"""

from harness.attacks import load_attack, play, transcript

ETH = 1_000
DAI = 1_450_000
PRICE_USD = 1_900
THRESHOLD_BPS = 7_500
SPREAD_BPS = 800
CLOSE_BPS = 5_000

for remedied in ("false", "true"):
    attack = load_attack(
        "two-step-liquidation",
        [
            f"remedied={remedied}",
            f"eth={ETH}",
            f"dai={DAI}",
            f"price_usd={PRICE_USD}",
            f"threshold_bps={THRESHOLD_BPS}",
            f"spread_bps={SPREAD_BPS}",
            f"close_bps={CLOSE_BPS}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
