"""The first depositor inflates the share, the second one's shares round down.

    python scripts/attacks/first_depositor.py

ERC-4626 inflation attack; OpenZeppelin, 'A novel defense', 2023
"""

from harness.attacks import load_attack, play, transcript

DEPOSIT = 20_000

for remedied in ("false", "true"):
    attack = load_attack(
        "first-depositor",
        [
            f"remedied={remedied}",
            f"deposit={DEPOSIT}",
        ],
    )
    print(transcript(play(attack)), end="\n\n")
