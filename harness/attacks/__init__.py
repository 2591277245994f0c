"""Attacks: scripts that play against a protocol on chain, and what came of them.

    result = play(load_attack("spot-oracle"))
    result.profit_usd, result.guard, result.withstood

How to write one. An attack is a module (or a file of one's own) with an ``ATTACK``; those in
``harness/attacks/library`` are found by themselves, a file is named on the command line. Take
``library/spot_oracle.py`` as the pattern:

1.  Parameters: a frozen dataclass that derives from `Parameters`, amounts in whole tokens, with
    the values of the time as defaults. ``remedied`` is there already. ``--set`` changes any.
2.  ``play(stage, p)``, a generator. Up to its first ``yield None`` it deploys: ``stage.token``,
    ``feed``, ``pool``, ``lending``, ``isolated``, ``vault``, ``actor``, ``supplier``,
    ``position``, or any contract by ``stage.deploy(NAME, ...)``; `Stage` has them all. What
    ``p.remedied`` changes is decided here: another feed, another module, other terms.
3.  Then steps. ``sent = stage.send(LABEL, actor, call, call, ...)`` queues one transaction: all
    its calls or none, made by the actor's own contract (``contracts/attacks/Actor.sol``), which
    answers flash loans and other callbacks with the calls it was handed for them. ``yield None``
    executes the block, ``yield k`` k blocks; then ``sent.done``, ``sent.reason`` (the decoded
    error) and ``stage.read(contract, VIEW, ...)`` say where things stand. Calls: the verbs of
    `harness.attacks.calls`, and ``call(contract, FUNCTION, ...)`` for everything else; an
    argument may be ``all_of(token, holder)``, read when the call is made.
    Beside them: ``stage.push`` (an oracle reports), not pushing (it is late), ``stage.price`` (the
    outside market moves; holdings are valued at these prices), ``stage.wait(seconds)``,
    ``stage.censor(actor, blocks)``, ``send(..., place="first", bid=..., after_blocks=...)``,
    ``stage.ordering``, ``stage.charge_fees``.
4.  ``Attack(...)``: what the attacker wants (``goal``), what the protocol promises (``protocol``),
    the size as reported, and ``stopped_by``: how the guard's name begins that stops it when
    remedied. The guard is the first error of an attacker's transaction; where nothing reverts
    and the attack merely does not pay, the script says ``stage.guard(TEXT)`` after checking on
    chain that it is so.
5.  Add its size, against a closed form or the report, to ``tests/attacks/test_sizes.py``, and run
    ``scripts/attacks/regenerate.py``: it writes the attack's flat script, its output, the table.

Roles: ``attacker`` (several make one party), ``victim`` (losses are reported), ``bystander``.

Books, checked at the end of every play:

    ATK-1   for each token, the balance changes of all parties equal what was minted less burned
    ATK-2   at one price vector, all parties with what venues owe and are owed gain what their
            holdings were revalued by, to a base unit for each claim and debt
"""

from harness.attacks.calls import Call, call
from harness.attacks.player import play
from harness.attacks.registry import attacks, load_attack
from harness.attacks.result import AttackResult, StepRow
from harness.attacks.script import Attack, Check, Parameters, with_settings
from harness.attacks.stage import Actor, Lending, Sent, Stage
from harness.attacks.transcript import markdown_table, transcript

__all__ = [
    "Actor",
    "Attack",
    "AttackResult",
    "Call",
    "Check",
    "Lending",
    "Parameters",
    "Sent",
    "Stage",
    "StepRow",
    "attacks",
    "call",
    "load_attack",
    "markdown_table",
    "play",
    "transcript",
    "with_settings",
]
