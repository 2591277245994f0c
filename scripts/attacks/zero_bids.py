"""Auctions are won for nothing while other bidders are shut out.

    python scripts/attacks/zero_bids.py

Maker, 12-13 March 2020 (Black Thursday)
"""

from harness.attacks import load_attack, play, transcript

ETH = 62_842
VAULTS = 16
START_USD = 200
ORACLE_USD = 132.4
RATIO_BPS = 15_000
STALLED_S = 1_260

for remedied in ("false", "true"):
    attack = load_attack(
        "zero-bids",
        [
            f"remedied={remedied}",
            f"eth={ETH}",
            f"vaults={VAULTS}",
            f"start_usd={START_USD}",
            f"oracle_usd={ORACLE_USD}",
            f"ratio_bps={RATIO_BPS}",
            f"stalled_s={STALLED_S}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
