"""A loan taken just before the report that would have refused it.

    python scripts/attacks/oracle_sandwich.py

Eskandari, Salehi, Gu, Clark, SoK: Oracles from the ground truth to market manipulation, 2021
"""

from harness.attacks import load_attack, play, transcript

STALE_USD = 2_000
PRICE_USD = 1_840
LTV_BPS = 9_300
COLLATERAL_ETH = 1_000
SUPPLIED_USDC = 5_000_000

for remedied in ("false", "true"):
    attack = load_attack(
        "oracle-sandwich",
        [
            f"remedied={remedied}",
            f"stale_usd={STALE_USD}",
            f"price_usd={PRICE_USD}",
            f"ltv_bps={LTV_BPS}",
            f"collateral_eth={COLLATERAL_ETH}",
            f"supplied_usdc={SUPPLIED_USDC}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
