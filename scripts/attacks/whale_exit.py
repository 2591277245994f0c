"""Profit is withdrawn until the vault has to take the position over.

    python scripts/attacks/whale_exit.py

Hyperliquid, 12 March 2025
"""

from harness.attacks import load_attack, play, transcript

SIZE = 160_234
ENTRY_USD = 1_884
HIGH_USD = 1_934
TAKEOVER_USD = 1_914
EXIT_USD = 1_870
INITIAL_BPS = 200
MAINTENANCE_BPS = 100
FLOOR_BPS = 1_000
VAULT_USD = 200_000_000

for remedied in ("false", "true"):
    attack = load_attack(
        "whale-exit",
        [
            f"remedied={remedied}",
            f"size={SIZE}",
            f"entry_usd={ENTRY_USD}",
            f"high_usd={HIGH_USD}",
            f"takeover_usd={TAKEOVER_USD}",
            f"exit_usd={EXIT_USD}",
            f"initial_bps={INITIAL_BPS}",
            f"maintenance_bps={MAINTENANCE_BPS}",
            f"floor_bps={FLOOR_BPS}",
            f"vault_usd={VAULT_USD}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
