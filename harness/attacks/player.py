"""Plays an attack on an engine and draws up what came of it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from harness.attacks.ledger import Damage, Ledger
from harness.attacks.result import AttackResult, Outcome, StepRow, as_usd
from harness.attacks.script import Attack, Check
from harness.attacks.stage import Sent, Stage, check_prepared
from harness.builder import select
from harness.contracts import Contract
from harness.engine import default_engine, open_engine
from harness.engine.base import Block, Engine, Receipt, Transaction
from harness.engine.digest import DigestChain
from harness.errors import EngineError, PluginError, ScenarioError, plugin
from harness.people import BUILDER
from harness.setup import require_success

#: epoch seconds of the first block after set-up, where nothing else is said
START = 1_600_000_000
BLOCK_GAS = 30_000_000


def play(attack: Attack, engine: str | Engine | None = None, seed: int = 0) -> AttackResult:
    """Plays an attack.

    Args:
        attack: with its parameters; see `with_settings`.
        engine: a name for ``open_engine``, or a fresh engine, which the caller closes; by default
            the fastest there is.
        seed: of draws among equal bids.

    Raises:
        PluginError: the script failed.
        ScenarioError: it cannot be set up with its parameters.
        EngineError: the engine failed.

    """
    if isinstance(engine, str) or engine is None:
        opened = open_engine(engine) if engine else default_engine()
        try:
            return play(attack, opened, seed)
        finally:
            opened.close()
    if attack.scenario:
        from harness.attacks.campaign import Campaign  # it runs the block loop

        return Campaign(attack, engine, seed).play()
    return _Player(attack, engine, seed).play()


class Performance:
    """What is written down while an attack is played.

    Attributes:
        without: the damage that there is without the attack, which is not the attack's.

    """

    def __init__(self, attack: Attack, stage: Stage, seed: int) -> None:
        self.attack = attack
        self.stage = stage
        self.seed = seed
        self.ledger = Ledger(stage)
        self.steps: list[StepRow] = []
        self.guard: str | None = None
        self.first_block = 0
        self.without = Damage({}, {})

    def note(self, included: Sequence[Sent]) -> None:
        """Adds the rows of transactions that were executed in one block."""
        change, profit = self.ledger.block()
        for place, sent in enumerate(included):
            if self.guard is None and sent.actor.role == "attacker" and sent.reason:
                self.guard = sent.reason
            self.steps.append(
                StepRow(
                    block=sent.block - self.first_block,
                    label=sent.label,
                    actor=sent.actor.name,
                    role=sent.actor.role,
                    reason=sent.reason,
                    skipped=tuple(sent.skipped),
                    tokens=change if place == len(included) - 1 else {},
                    profit_usd=as_usd(profit),
                )
            )

    def result(self, digests: DigestChain, *, digest: bytes | None = None) -> AttackResult:
        """Draws up the accounts; ``digest`` where the run has one already."""
        stage, ledger, attack = self.stage, self.ledger, self.attack
        now, valuer = ledger.read(), stage.valuer()
        profit = ledger.profit(ledger.attackers, now, valuer)
        damage = ledger.damage(now, valuer)
        losses = {
            name: as_usd(loss - self.without.losses.get(name, 0))
            for name, loss in damage.losses.items()
        }
        insolvency = {
            name: as_usd(amount - self.without.insolvency.get(name, 0))
            for name, amount in damage.insolvency.items()
        }
        figures: dict[str, Mapping[str, float]] = {
            "profit": {"": as_usd(profit)},
            "loss": losses,
            "insolvency": insolvency,
        }

        def outcome(check: Check) -> Outcome:
            found = figures[check.measure]
            if check.of and check.of not in found:
                named = ", ".join(name for name in found if name)
                allowed = f"one of {named}" if named else "left out"
                raise ScenarioError(f"{check.measure} of", check.of, allowed)
            return Outcome(check, found[check.of] if check.of else sum(found.values()))

        held, final = ledger.first.held(ledger.attackers), now.held(ledger.attackers)
        start = ledger.everything(ledger.first)
        reads = [
            str(sorted(part.items())).encode()
            for part in (*now.tokens.values(), *now.own.values(), *now.deficits.values())
        ]
        return AttackResult(
            attack=attack,
            engine=stage.engine.name,
            seed=self.seed,
            digest="0x" + (digests.finish(reads) if digest is None else digest).hex(),
            blocks=stage.number - self.first_block,
            steps=self.steps,
            profit_usd=as_usd(profit),
            tokens={
                symbol: final[symbol] - held[symbol]
                for symbol in stage.tokens
                if final[symbol] != held[symbol]
            },
            capital_usd=as_usd(ledger.capital),
            flash_usd=as_usd(ledger.flash),
            fees_usd=as_usd(ledger.fees),
            losses_usd=losses,
            insolvency_usd=insolvency,
            guard=self.guard or (stage.guards[0] if stage.guards else None),
            goal=outcome(attack.goal(attack.parameters)),
            checks=[outcome(check) for check in attack.promises()],
            books=ledger.problems(now, valuer),
            revaluation_usd=as_usd(valuer.worth(start) - ledger.start_valuer.worth(start)),
            notes=stage.notes,
            measures=dict(stage.measures),
            decimals=dict(stage.decimals),
            prices={symbol: price / 10**8 for symbol, price in valuer.prices.items()},
        )


def check_set_up(attack: Attack, stage: Stage, block: Block, receipts: Sequence[Receipt]) -> None:
    """Raises ScenarioError if a block of set-up did not do what it should: the contracts refuse the
    parameters, or what an actor was to have before the attack."""
    try:
        require_success(block, receipts)
        check_prepared(stage, receipts)
    except EngineError as error:
        raise _unusable(attack, error) from error


def advance(attack: Attack, stage: Stage, script: Generator[int | None, None, None]) -> int | None:
    """Runs a script to its next block: for how many blocks; None once it has ended.

    Raises ScenarioError where set-up cannot be computed: a division by 0, an amount below it.
    """
    try:
        with plugin(f"attack {attack.name}, before block {stage.number + 1},"):
            try:
                return next(script) or 1
            except StopIteration:
                return None
    except PluginError as error:
        if stage.number == 0 and isinstance(error.__cause__, ArithmeticError | ValueError):
            raise _unusable(attack, error.__cause__) from error
        raise


def _unusable(attack: Attack, error: Exception) -> ScenarioError:
    allowed = f"parameters with which it can be set up ({error})"
    return ScenarioError(f"attack {attack.name}", vars(attack.parameters), allowed)


class _Player:
    """One play on a chain of its own."""

    def __init__(self, attack: Attack, engine: Engine, seed: int) -> None:
        self._attack = attack
        self._engine = engine
        self._seed = seed
        self._stage = Stage(engine, start=START)
        self._performance = Performance(attack, self._stage, seed)
        self._ledger = self._performance.ledger
        self._digests = DigestChain()
        self._sent = 0

    def play(self) -> AttackResult:
        stage, attack = self._stage, self._attack
        script = attack.play(stage, attack.parameters)
        count = advance(attack, stage, script)
        self._set_up()
        while count is not None:
            count = advance(attack, stage, script)
            for _ in range(0 if count is None else count):
                self._block()
        if stage.pending:
            self._block()
        return self._performance.result(self._digests)

    def _set_up(self) -> None:
        stage = self._stage
        for block in stage.setup.blocks(START):
            receipts = self._execute(block)
            check_set_up(self._attack, stage, block, receipts)
        self._performance.first_block = stage.number
        self._ledger.open()

    def _execute(self, block: Block) -> list[Receipt]:
        receipts = self._engine.execute(block)
        self._digests.add(block, receipts)
        self._stage.number, self._stage.now = block.number, block.timestamp
        self._ledger.watch(receipts)
        return receipts

    def _block(self) -> None:
        stage = self._stage
        ready, waiting = stage.due()
        by_key = {str(self._sent + place): sent for place, sent in enumerate(ready)}
        self._sent += len(ready)
        chosen = select(
            stage.ordering,
            [stage.order(sent, int(key)) for key, sent in by_key.items()],
            block=stage.number + 1,
            seed=self._seed,
            gas_limit=BLOCK_GAS,
            background_bid=0,
            can_pay=self._can_pay,
        )
        included = [by_key[order.key] for order in chosen.included]
        stage.pending = [*waiting, *(by_key[order.key] for order in chosen.waiting)]
        transactions = list(stage.top)
        stage.top = []
        if stage.fee_ledger is not None and included:
            transactions.append(self._charge(stage.fee_ledger, included))
        at = len(transactions)
        transactions += [sent.transaction for sent in included]
        seconds = stage.seconds_per_block + stage.extra_wait
        stage.extra_wait = 0
        block = Block(stage.number + 1, stage.now + seconds, tuple(transactions))
        receipts = self._execute(block)
        require_success(block._replace(transactions=block.transactions[:at]), receipts[:at])
        for sent, receipt in zip(included, receipts[at:], strict=True):
            sent.executed(block.number, receipt)
        if included:
            self._performance.note(included)

    def _can_pay(self, sender: bytes, fees: int) -> bool:
        ledger = self._stage.fee_ledger
        return ledger is None or fees <= self._stage.read(ledger, "balanceOf", sender)

    def _charge(self, ledger: Contract, included: Sequence[Sent]) -> Transaction:
        self._ledger.paid(included)
        return ledger.transaction(
            BUILDER,
            "charge",
            [sent.transaction.sender for sent in included],
            [sent.gas for sent in included],
            [sent.bid for sent in included],
        )
