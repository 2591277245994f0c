"""A liquidation is copied with a higher bid and comes first.

    python scripts/attacks/liquidation_frontrun.py

Daian et al., Flash Boys 2.0, 2019: priority gas auctions
"""

from harness.attacks import load_attack, play, transcript

COLLATERAL_ETH = 100
DEBT_USDC = 155_000
BONUS_BPS = 500
PRICE_USD = 1_850
BID_GWEI = 50

for remedied in ("false", "true"):
    attack = load_attack(
        "liquidation-frontrun",
        [
            f"remedied={remedied}",
            f"collateral_eth={COLLATERAL_ETH}",
            f"debt_usdc={DEBT_USDC}",
            f"bonus_bps={BONUS_BPS}",
            f"price_usd={PRICE_USD}",
            f"bid_gwei={BID_GWEI}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
