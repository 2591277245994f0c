"""A flash loan moves the pool that prices the collateral.

    python scripts/attacks/spot_oracle.py

bZx, 15 and 18 February 2020; Harvest, 26 October 2020
Qin, Zhou, Livshits, Gervais, Attacking the DeFi ecosystem with flash loans, 2021
"""

from harness.attacks import load_attack, play, transcript

LOAN_USDC = 10_000_000
POOL_ETH = 2_500
SUPPLIED_USDC = 8_000_000
WINDOW_S = 1_800

for remedied in ("false", "true"):
    attack = load_attack(
        "spot-oracle",
        [
            f"remedied={remedied}",
            f"loan_usdc={LOAN_USDC}",
            f"pool_eth={POOL_ETH}",
            f"supplied_usdc={SUPPLIED_USDC}",
            f"window_s={WINDOW_S}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
