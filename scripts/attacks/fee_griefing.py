"""A borrower lets liquidators pay for attempts that fail, block after block.

    python scripts/attacks/fee_griefing.py

Qin, Zhou, Gamito, Jovanovic, Gervais, An empirical study of DeFi liquidations, 2021
"""

from harness.attacks import load_attack, play, transcript

COLLATERAL_ETH = 100
DEBT_USDC = 159_000
STEP_BPS = 100
BLOCKS = 10
FEE_USDC = 45

for remedied in ("false", "true"):
    attack = load_attack(
        "fee-griefing",
        [
            f"remedied={remedied}",
            f"collateral_eth={COLLATERAL_ETH}",
            f"debt_usdc={DEBT_USDC}",
            f"step_bps={STEP_BPS}",
            f"blocks={BLOCKS}",
            f"fee_usdc={FEE_USDC}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
