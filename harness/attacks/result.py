"""What came of an attack: its steps, its figures, the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.attacks.holdings import E26
from harness.attacks.script import Attack, Check


@dataclass(frozen=True)
class StepRow:
    """One transaction of an actor.

    Attributes:
        block: counted from set-up's end.
        reason: the decoded error if it was refused, else None.
        skipped: errors of calls that were allowed to fail.
        tokens: what the attackers' balances changed by over its block, base units, claims and debts
            apart; given with the block's last transaction.
        profit_usd: the attackers', from the start to its block's end, at that block's prices.

    """

    block: int
    label: str
    actor: str
    role: str
    reason: str | None
    skipped: tuple[str, ...]
    tokens: Mapping[str, int]
    profit_usd: float


@dataclass(frozen=True)
class Outcome:
    """A check and what was found."""

    check: Check
    found_usd: float

    @property
    def holds(self) -> bool:
        """Whether it held."""
        return self.check.holds(self.found_usd)


@dataclass(frozen=True)
class AttackResult:
    """What came of an attack. USD figures are at the outside prices, exact ones in base units.

    Attributes:
        profit_usd: the attackers', fees deducted; worthless positions they leave count nothing.
        tokens: what their balances changed by, base units, claims and debts apart.
        capital_usd: most of their own that was out of their hands after a block.
        flash_usd: most that one transaction borrowed for itself.
        fees_usd: what they paid for block space.
        losses_usd: by victim, below zero for a gain.
        insolvency_usd: by venue, more than at the start; in a scenario, this and the losses beyond
            those of the same run without the attack.
        guard: what stopped it: the first error of an attacker's transaction, or the check that the
            script names; None if nothing did.
        goal: whether the attacker got what it wanted.
        checks: the protocol's.
        books: by invariant: None if it holds, else what is wrong.
        revaluation_usd: what price changes did to what everybody held at the start.
        measures: figures of this attack that its script read from the chain.

    """

    attack: Attack
    engine: str
    seed: int
    digest: str
    blocks: int
    steps: Sequence[StepRow]
    profit_usd: float
    tokens: Mapping[str, int]
    capital_usd: float
    flash_usd: float
    fees_usd: float
    losses_usd: Mapping[str, float]
    insolvency_usd: Mapping[str, float]
    guard: str | None
    goal: Outcome
    checks: Sequence[Outcome]
    books: Mapping[str, str | None]
    revaluation_usd: float
    notes: Sequence[str] = ()
    measures: Mapping[str, float] = field(default_factory=dict)
    decimals: Mapping[str, int] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)

    @property
    def remedied(self) -> bool:
        """Which setting was played."""
        return self.attack.parameters.remedied

    @property
    def named_guard(self) -> bool:
        """Whether the guard that should stop it did, where there is one that should."""
        return not self.remedied or (self.guard or "").startswith(self.attack.stopped_by)

    @property
    def vacuous(self) -> bool:
        """Whether nothing of the attackers' was executed."""
        return not any(step.role == "attacker" for step in self.steps)

    @property
    def withstood(self) -> bool:
        """Whether the protocol kept its promises, its books balance, and the named guard worked."""
        sound = all(problem is None for problem in self.books.values())
        sound = sound and self.named_guard and not self.vacuous
        return sound and all(outcome.holds for outcome in self.checks)

    def as_json(self) -> dict[str, Any]:
        """The object that ``harness attack --json`` prints."""
        return {
            "schema": 1,
            "attack": self.attack.name,
            "title": self.attack.title,
            "remedied": self.remedied,
            "parameters": vars(self.attack.parameters),
            "reported": self.attack.reported or None,
            "sources": list(self.attack.sources),
            "engine": self.engine,
            "seed": self.seed,
            "digest": self.digest,
            "blocks": self.blocks,
            "attacker": {
                "profit_usd": self.profit_usd,
                "tokens": {symbol: str(amount) for symbol, amount in self.tokens.items()},
                "capital_usd": self.capital_usd,
                "flash_usd": self.flash_usd,
                "fees_usd": self.fees_usd,
                "goal": str(self.goal.check),
                "reached": self.goal.holds,
            },
            "losses_usd": dict(self.losses_usd),
            "insolvency_usd": dict(self.insolvency_usd),
            "guard": self.guard,
            "checks": [
                {"check": str(each.check), "found_usd": each.found_usd, "holds": each.holds}
                for each in self.checks
            ],
            "books": dict(self.books),
            "revaluation_usd": self.revaluation_usd,
            "prices_usd": dict(self.prices),
            "steps": [
                {
                    "block": step.block,
                    "label": step.label,
                    "actor": step.actor,
                    "done": step.reason is None,
                    "reason": step.reason,
                    "skipped": list(step.skipped),
                    "tokens": {symbol: str(amount) for symbol, amount in step.tokens.items()},
                    "profit_usd": step.profit_usd,
                }
                for step in self.steps
            ],
            "measures": dict(self.measures),
            "notes": list(self.notes),
            "withstood": self.withstood,
        }


def as_usd(amount: int) -> float:
    """E26 as USD, to a millionth."""
    return round(amount / E26, 6)
