"""A short is left to the vault, then its token is bought up.

    python scripts/attacks/inherited_short.py

Hyperliquid and JELLY, 26 March 2025
"""

from harness.attacks import load_attack, play, transcript

SIZE = 398_000_000
START_USD = 0.0095
PEAK_USD = 0.0397
SPOT_QUOTE_USD = 2_000_000
VAULT_USD = 200_000_000
FLOAT_TOKENS = 1_000_000_000
FLOAT_SHARE_BPS = 500

for remedied in ("false", "true"):
    attack = load_attack(
        "inherited-short",
        [
            f"remedied={remedied}",
            f"size={SIZE}",
            f"start_usd={START_USD}",
            f"peak_usd={PEAK_USD}",
            f"spot_quote_usd={SPOT_QUOTE_USD}",
            f"vault_usd={VAULT_USD}",
            f"float_tokens={FLOAT_TOKENS}",
            f"float_share_bps={FLOAT_SHARE_BPS}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
