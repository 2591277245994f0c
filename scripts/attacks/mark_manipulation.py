"""The thin spot market that prices a perpetual is bought up.

    python scripts/attacks/mark_manipulation.py

Mango Markets, 11 October 2022
"""

from harness.attacks import load_attack, play, transcript

SIZE = 483_000_000
START_USD = 0.038
PEAK_USD = 0.91
SPOT_USD = 4_000_000
MARGIN_USD = 5_000_000
EXCHANGE_USD = 116_000_000
BAND_BPS = 2_000

for remedied in ("false", "true"):
    attack = load_attack(
        "mark-manipulation",
        [
            f"remedied={remedied}",
            f"size={SIZE}",
            f"start_usd={START_USD}",
            f"peak_usd={PEAK_USD}",
            f"spot_usd={SPOT_USD}",
            f"margin_usd={MARGIN_USD}",
            f"exchange_usd={EXCHANGE_USD}",
            f"band_bps={BAND_BPS}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
