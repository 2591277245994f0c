"""A run to full utilisation leaves no collateral to pay liquidators with.

    python scripts/attacks/bank_run.py

Gudgeon, Werner, Perez, Knottenbelt, DeFi protocols for loanable funds, 2020
"""

from harness.attacks import load_attack, play, transcript

WHALE_ETH = 1_000
COLLATERAL_ETH = 500
DEBT_USDC = 700_000
LENT_ETH = 500
FIRST_USD = 1_600
LAST_USD = 1_200

for remedied in ("false", "true"):
    attack = load_attack(
        "bank-run",
        [
            f"remedied={remedied}",
            f"whale_eth={WHALE_ETH}",
            f"collateral_eth={COLLATERAL_ETH}",
            f"debt_usdc={DEBT_USDC}",
            f"lent_eth={LENT_ETH}",
            f"first_usd={FIRST_USD}",
            f"last_usd={LAST_USD}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
