"""Attacks played once each for all tests of a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.attacks import AttackResult, load_attack
from harness.attacks import play as play_attack

Play = Callable[..., AttackResult]


@pytest.fixture(scope="session")
def play() -> Play:
    """``play(NAME, remedied, engine=None, **settings)``."""
    finished: dict[Any, AttackResult] = {}

    def once(
        name: str, remedied: bool = False, engine: str | None = None, **settings: Any
    ) -> AttackResult:
        key = (name, remedied, engine, tuple(sorted(settings.items())))
        if key not in finished:
            words = [f"{each}={value}" for each, value in settings.items()]
            attack = load_attack(name, [f"remedied={str(remedied).lower()}", *words])
            finished[key] = play_attack(attack, engine)
        return finished[key]

    return once
