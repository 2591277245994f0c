"""A liquidator's sale is sandwiched, down to the last of its profit.

    python scripts/attacks/liquidation_sandwich.py

Zhou, Qin, Torres, Le, Gervais, High-frequency trading on decentralized on-chain exchanges, 2021
"""

from harness.attacks import load_attack, play, transcript

COLLATERAL_ETH = 100
DEBT_USDC = 155_000
BONUS_BPS = 1_000
PRICE_USD = 1_850
POOL_ETH = 10_000
FEE_PIPS = 500
FRONT_ETH = 400
LEAST_PROFIT_USDC = 12_000

for remedied in ("false", "true"):
    attack = load_attack(
        "liquidation-sandwich",
        [
            f"remedied={remedied}",
            f"collateral_eth={COLLATERAL_ETH}",
            f"debt_usdc={DEBT_USDC}",
            f"bonus_bps={BONUS_BPS}",
            f"price_usd={PRICE_USD}",
            f"pool_eth={POOL_ETH}",
            f"fee_pips={FEE_PIPS}",
            f"front_eth={FRONT_ETH}",
            f"least_profit_usdc={LEAST_PROFIT_USDC}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
