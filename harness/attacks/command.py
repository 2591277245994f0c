"""What ``harness attack`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.attacks.player import play
from harness.attacks.registry import load_attack
from harness.attacks.result import AttackResult
from harness.engine import Engine
from harness.results import make_folder, write_json

__all__ = ["failures", "run_attack"]


def run_attack(
    name: str, settings: Sequence[str], seed: int, engine: Engine, out: Path | None
) -> AttackResult:
    """Plays an attack; with ``out``, writes attack.json there.

    Raises ScenarioError for bad input.
    """
    attack = load_attack(name, settings)
    result = play(attack, engine, seed)
    if out is not None:
        make_folder(out)
        write_json(out / "attack.json", result.as_json())
    return result


def failures(result: AttackResult) -> list[str]:
    """What did not hold, each in a few words."""
    failed = [f"{each.check} (${each.found_usd:,.0f})" for each in result.checks if not each.holds]
    if result.vacuous:
        failed.append("nothing was attacked: no transaction was executed")
    if not result.named_guard:
        failed.append(f"stopped by {result.attack.stopped_by} ({result.guard or 'nothing'})")
    return failed + [f"{name}: {text}" for name, text in result.books.items() if text is not None]
