"""Liquidators buying back a large short raise the price of what is left of it.

    python scripts/attacks/short_squeeze.py

Aave and CRV, 22 November 2022
Warmuz, Chaudhary, Pinna, Toxic liquidation spirals, arXiv 2212.07306
"""

from harness.attacks import load_attack, play, transcript

USDC = 63_600_000
CRV = 92_000_000
THRESHOLD_BPS = 8_800
BONUS_BPS = 450
START_USD = 0.609
SQUEEZE_USD = 0.61
POOL_CRV = 833_000_000
STEP_USDC = 1_000_000
BORROW_CAP_CRV = 5_000_000

for remedied in ("false", "true"):
    attack = load_attack(
        "short-squeeze",
        [
            f"remedied={remedied}",
            f"usdc={USDC}",
            f"crv={CRV}",
            f"threshold_bps={THRESHOLD_BPS}",
            f"bonus_bps={BONUS_BPS}",
            f"start_usd={START_USD}",
            f"squeeze_usd={SQUEEZE_USD}",
            f"pool_crv={POOL_CRV}",
            f"step_usdc={STEP_USDC}",
            f"borrow_cap_crv={BORROW_CAP_CRV}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
