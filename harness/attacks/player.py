"""Plays an attack on an engine and says what came of it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eth_hash.auto import keccak

from harness.attacks.ledger import E26, Holdings, Snapshot, Valuer
from harness.attacks.script import Attack, Check
from harness.attacks.stage import Sent, Stage, check_prepared
from harness.builder import select
from harness.contracts import Contract
from harness.engine import default_engine, open_engine
from harness.engine.base import ZERO_ADDRESS, Block, Engine, Receipt, Transaction
from harness.engine.digest import DigestChain
from harness.errors import EngineError, ScenarioError, plugin
from harness.people import BUILDER, COLLECTOR
from harness.setup import require_success

__all__ = ["AttackResult", "Outcome", "StepRow", "play"]

#: epoch seconds of the first block after set-up, where nothing else is said
START = 1_600_000_000
BLOCK_GAS = 30_000_000
_TRANSFER = keccak(b"Transfer(address,address,uint256)")
_FLASH_LOAN = keccak(b"FlashLoan(address,address,address,uint256,uint256)")


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


class Damage(NamedTuple):
    """E26 since the start: losses by victim, insolvency by venue."""

    losses: Mapping[str, int]
    insolvency: Mapping[str, int]


class Ledger:
    """Follows everybody's holdings from block to block and draws up the accounts."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.holders: dict[bytes, None] = {}
        self.minted: Holdings = {}
        self.flash = 0
        self.fees = 0
        self.capital = 0

    def open(self) -> None:
        """Takes the accounts of the start."""
        stage = self.stage
        attackers = [actor for actor in stage.actors.values() if actor.role == "attacker"]
        if not attackers:
            raise ScenarioError("attack", "no attacker", "an actor whose role is attacker")
        self.attackers = [address for actor in attackers for address in actor.addresses]
        self.accounts = list(
            dict.fromkeys(
                [
                    *(a for actor in stage.actors.values() for a in actor.addresses),
                    *stage.setup.contracts,
                    COLLECTOR,
                    *self.holders,
                    *([COLLECTOR] if stage.fee_ledger else ()),
                ]
            )
        )
        #: who owes and claims together: the attackers as one, everybody else alone
        self.parties = [
            self.attackers,
            *([address] for address in self.accounts if address not in self.attackers),
        ]
        self.minted.clear()
        self.first = self.last = self.read()
        self.start_valuer = stage.valuer()

    def read(self) -> Snapshot:
        """Everybody's holdings now."""
        stage = self.stage
        return Snapshot.read(
            stage.engine, stage.tokens, stage.venues, self.accounts, holders=tuple(self.holders)
        )

    def watch(self, receipts: Sequence[Receipt]) -> None:
        """Notes who was paid, what was minted and burned, and what was lent for one transaction."""
        symbols = {token.address: symbol for symbol, token in self.stage.tokens.items()}
        for receipt in receipts:
            lent: Holdings = {}
            for log in receipt.logs:
                topic = log.topics[0] if log.topics else b""
                if topic == _TRANSFER and log.address in symbols:
                    sender, receiver = log.topics[1][12:], log.topics[2][12:]
                    amount = int.from_bytes(log.data, "big")
                    symbol = symbols[log.address]
                    sign = (sender == ZERO_ADDRESS) - (receiver == ZERO_ADDRESS)
                    self.minted[symbol] = self.minted.get(symbol, 0) + sign * amount
                    for party in (sender, receiver):
                        if party != ZERO_ADDRESS:
                            self.holders[party] = None
                elif topic == _FLASH_LOAN:
                    symbol = symbols[log.topics[1][12:]]
                    lent[symbol] = lent.get(symbol, 0) + int.from_bytes(log.data[:32], "big")
            if lent:
                self.flash = max(self.flash, self.stage.valuer().worth(lent))

    def paid(self, included: Sequence[Sent]) -> None:
        """Adds the attackers' fees for these transactions."""
        units = sum(
            sent.gas * sent.bid for sent in included if sent.transaction.sender in self.attackers
        )
        self.fees += self.stage.valuer().worth({self.stage.fee_symbol: units}) if units else 0

    def damage(self, now: Snapshot, valuer: Valuer) -> Damage:
        """What victims have lost and venues lack since the start."""
        first, then = self.first, self.start_valuer
        return Damage(
            losses={
                actor.name: -self.profit(actor.addresses, now, valuer)
                for actor in self.stage.actors.values()
                if actor.role == "victim"
            },
            insolvency={
                venue: now.insolvency(venue, self.parties, valuer)
                - first.insolvency(venue, self.parties, then)
                for venue in now.claims
            },
        )

    def profit(self, addresses: Sequence[bytes], now: Snapshot, valuer: Valuer) -> int:
        """E26 that some parties are better off by since the start."""
        return now.worth(addresses, valuer) - self.first.worth(addresses, self.start_valuer)

    def block(self) -> tuple[Holdings, int]:
        """The attackers' change of holdings over a block, and their profit so far."""
        stage, before = self.stage, self.last
        now = Snapshot.read(stage.engine, stage.tokens, stage.venues, self.attackers)
        valuer = self.stage.valuer()
        then, held = before.held(self.attackers), now.held(self.attackers)
        change = {
            symbol: held[symbol] - then[symbol]
            for symbol in self.stage.tokens
            if held[symbol] != then[symbol]
        }
        first = self.first.held(self.attackers)
        out = sum(
            max(0, valuer.worth({symbol: first[symbol] - held[symbol]}))
            for symbol in self.stage.tokens
        )
        self.capital = max(self.capital, out)
        self.last = now
        return change, self.profit(self.attackers, now, valuer)

    def problems(self, now: Snapshot, valuer: Valuer) -> dict[str, str | None]:
        """What is wrong with the books, by invariant; see `harness.attacks`."""
        return {"ATK-1": self._unbalanced(now), "ATK-2": self._unvalued(now, valuer)}

    def _unbalanced(self, now: Snapshot) -> str | None:
        for symbol in self.stage.tokens:
            change = sum(held[symbol] for held in now.tokens.values()) - sum(
                held[symbol] for held in self.first.tokens.values()
            )
            minted = self.minted.get(symbol, 0)
            if change != minted or now.supply[symbol] - self.first.supply[symbol] != minted:
                return f"{symbol}: balances changed by {change}, {minted} were minted less burned"
        return None

    def everything(self, snapshot: Snapshot) -> Holdings:
        """All holdings, claims, debts and what venues owe, of everybody."""
        total: Holdings = {}
        rows = [*snapshot.tokens.values(), *snapshot.own.values()]
        for venue in snapshot.claims.values():
            rows += venue.values()
        for row in rows:
            for symbol, amount in row.items():
                total[symbol] = total.get(symbol, 0) + amount
        return total

    def _unvalued(self, now: Snapshot, valuer: Valuer) -> str | None:
        """Everybody's profit against the revaluation of what they held, at the final prices.

        Each account's claim and debt is rounded by up to a base unit against the total.
        """
        start, end = self.everything(self.first), self.everything(now)
        positions = 2 * sum(len(venue) for venue in now.claims.values())
        for symbol in self.stage.tokens:
            made = end.get(symbol, 0) - start.get(symbol, 0) - self.minted.get(symbol, 0)
            if self._is_share(symbol):
                made += self.minted.get(symbol, 0)  # the vault owes what it issued
            if abs(made) > positions:
                return f"{symbol}: everybody together has {made} more than was minted"
        gained = sum(
            self._net(now, address, valuer) - self._net(self.first, address, self.start_valuer)
            for address in now.tokens
        ) + sum(
            valuer.worth(now.own[name]) - self.start_valuer.worth(self.first.own[name])
            for name in now.own
        )
        revalued = valuer.worth(start) - self.start_valuer.worth(start)
        created = valuer.worth(
            {s: amount for s, amount in self.minted.items() if not self._is_share(s)}
        )
        largest = max(
            (valuer.worth({symbol: positions}) for symbol in self.stage.tokens), default=0
        )
        off = gained - revalued - created
        if abs(off) > largest * max(1, len(self.stage.tokens)):
            return f"parties gained ${off / E26:,.6f} more than their holdings were revalued by"
        return None

    def _is_share(self, symbol: str) -> bool:
        return any(getattr(venue, "shares", None) == symbol for venue in self.stage.venues)

    @staticmethod
    def _net(snapshot: Snapshot, address: bytes, valuer: Valuer) -> int:
        total = valuer.worth(snapshot.tokens.get(address, {}))
        return total + sum(
            valuer.worth(venue.get(address, {})) for venue in snapshot.claims.values()
        )


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
                raise ScenarioError(f"{check.measure} of", check.of, f"one of {', '.join(found)}")
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
        allowed = f"parameters with which it can be set up ({error})"
        raise ScenarioError(f"attack {attack.name}", vars(attack.parameters), allowed) from error


def advance(attack: Attack, stage: Stage, script: Generator[int | None, None, None]) -> int | None:
    """Runs a script to its next block: for how many blocks; None once it has ended."""
    with plugin(f"attack {attack.name}, before block {stage.number + 1},"):
        try:
            return next(script) or 1
        except StopIteration:
            return None


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


def as_usd(amount: int) -> float:
    """E26 as USD, to a millionth."""
    return round(amount / E26, 6)
