"""A stable coin is bought up on the one venue that the oracle follows.

    python scripts/attacks/single_venue_spike.py

Compound and DAI, 26 November 2020
"""

from harness.attacks import load_attack, play, transcript

DEBT_DAI = 180_000_000
COLLATERAL_RATIO = 1.45
BORROWERS = 4
SPIKE_USD = 1.3
POOL_DAI = 10_000_000
BONUS_BPS = 800

for remedied in ("false", "true"):
    attack = load_attack(
        "single-venue-spike",
        [
            f"remedied={remedied}",
            f"debt_dai={DEBT_DAI}",
            f"collateral_ratio={COLLATERAL_RATIO}",
            f"borrowers={BORROWERS}",
            f"spike_usd={SPIKE_USD}",
            f"pool_dai={POOL_DAI}",
            f"bonus_bps={BONUS_BPS}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
