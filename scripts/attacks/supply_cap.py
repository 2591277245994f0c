"""A pumped, thinly traded token is supplied without limit and borrowed against.

    python scripts/attacks/supply_cap.py

Venus and XVS, 18-19 May 2021
"""

from harness.attacks import load_attack, play, transcript

XVS = 2_000_000
LTV_BPS = 8_000
BONUS_BPS = 1_000
START_USD = 76
PEAK_USD = 144
LOW_USD = 32
BTC = 4_100
BTC_USD = 40_000
ETH = 9_600
ETH_USD = 3_000
STEP_BTC = 50
CAP_XVS = 200_000

for remedied in ("false", "true"):
    attack = load_attack(
        "supply-cap",
        [
            f"remedied={remedied}",
            f"xvs={XVS}",
            f"ltv_bps={LTV_BPS}",
            f"bonus_bps={BONUS_BPS}",
            f"start_usd={START_USD}",
            f"peak_usd={PEAK_USD}",
            f"low_usd={LOW_USD}",
            f"btc={BTC}",
            f"btc_usd={BTC_USD}",
            f"eth={ETH}",
            f"eth_usd={ETH_USD}",
            f"step_btc={STEP_BTC}",
            f"cap_xvs={CAP_XVS}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
