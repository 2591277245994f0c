"""Conformance kit for engines.

Subclass it and say how to make one:

    class TestMyEngine(EngineConformance):
        @pytest.fixture
        def make_engine(self):
            return MyEngine

``make_engine`` returns a callable that gives a fresh engine, at block 0, each time; the kit closes
what it opened before it asks for another. Everything runs on the `EngineProbe` contract. At the
end, one fixed history must give `GOLDEN_DIGEST`: engines are compared with a constant, so that they
need not be installed together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from eth_hash.auto import keccak

from harness.accounts import DEPLOYER, account, create2_address, create_address
from harness.contracts import Contract, artifact
from harness.engine.base import (
    CHAIN_ID,
    MAX_OPEN_SNAPSHOTS,
    ZERO_ADDRESS,
    Block,
    Engine,
    Inspectable,
    Log,
    Receipt,
    Transaction,
    anchor,
)
from harness.engine.digest import DigestChain
from harness.errors import EngineError, Reverted

__all__ = [
    "ALICE",
    "BOB",
    "CAROL",
    "FAILURES",
    "GOLDEN_DIGEST",
    "PROBE",
    "START",
    "EngineConformance",
    "MakeEngine",
    "ProbeChain",
    "golden_history",
    "probe",
]

MakeEngine = Callable[[], Engine]

GOLDEN_DIGEST = "0d4f1140f15ae4a8401d24f5faa5cb6cdc77ec050f09bf0928277bae32a27cfa"
"""Digest of `golden_history` on a conforming engine."""

START = 1_700_000_000
"""Timestamp of block 1, in seconds."""

FACTORY = Contract("Create2Factory", create_address(DEPLOYER.address, 0))
_INITCODE = artifact("EngineProbe").initcode()
PROBE = Contract("EngineProbe", create2_address(FACTORY.address, bytes(32), _INITCODE))

ALICE = account("alice").address
BOB = account("bob").address
CAROL = account("carol").address


def _panic(code: int) -> bytes:
    return keccak(b"Panic(uint256)")[:4] + code.to_bytes(32, "big")


def _error(name: str, *values: Any) -> bytes:
    """Revert data of one of the probe's own errors."""
    for selector, (known, codec) in PROBE.artifact.errors.items():
        if known == name:
            return selector + codec.encode(values)
    raise AssertionError(name)


def _large(length: int) -> bytes:
    words = ((1 << 256) - 1 - offset for offset in range(0, length, 32))
    return b"".join(word.to_bytes(32, "big") for word in words)


def _always(data: bytes) -> Callable[[bytes], bytes]:
    return lambda _: data


FAILURES: dict[str, tuple[tuple[Any, ...], Callable[[bytes], bytes]]] = {
    "failCustom": ((7, "no"), lambda caller: _error("Refused", caller, 7, "no")),
    "failString": (
        (),
        _always(
            keccak(b"Error(string)")[:4]
            + (32).to_bytes(32, "big")
            + (7).to_bytes(32, "big")
            + b"refused".ljust(32, b"\0")
        ),
    ),
    "failEmpty": ((), _always(b"")),
    "failAssert": ((), _always(_panic(0x01))),
    "failOverflow": ((1 << 255, 1 << 255), _always(_panic(0x11))),
    "failDivide": ((1, 0), _always(_panic(0x12))),
    "failIndex": ((2,), _always(_panic(0x32))),
    "failInvalid": ((), _always(b"")),
    "failUndefined": ((), _always(b"")),
    "failLarge": ((4096,), _always(_large(4096))),
}
"""Every way to fail: the probe's function, its arguments, and the revert data a caller gets."""


class ProbeChain:
    """An engine with the factory and the probe deployed in block 1.

    Attributes:
        engine: the engine.
        block: the last block executed.
        digest: the running digest.

    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.digest = DigestChain()
        self.block = Block(0, START - 1)
        self.receipts = self.execute(
            Transaction(DEPLOYER.address, b"", artifact("Create2Factory").initcode()),
            Transaction(
                DEPLOYER.address,
                FACTORY.address,
                FACTORY.encode("deploy", bytes(32), _INITCODE),
            ),
        )

    def execute(self, *transactions: Transaction, seconds: int = 1) -> list[Receipt]:
        """Executes the next block, ``seconds`` after the last one."""
        block = Block(self.block.number + 1, self.block.timestamp + seconds, transactions)
        receipts = self.engine.execute(block)
        self.block = block
        self.digest.add(block, receipts)
        return receipts

    def send(self, function: str, *args: Any, sender: bytes = ALICE) -> Receipt:
        """Executes a block of one call to the probe."""
        (receipt,) = self.execute(probe(function, *args, sender=sender))
        return receipt

    def read(self, function: str, *args: Any) -> Any:
        """What the probe returns now."""
        data = self.engine.call(PROBE.address, PROBE.encode(function, *args))
        return PROBE.decode(function, data)


def probe(function: str, *args: Any, sender: bytes = ALICE) -> Transaction:
    """A call to the probe."""
    return Transaction(sender, PROBE.address, PROBE.encode(function, *args))


def golden_history(engine: Engine) -> str:
    """Runs a fixed history with every kind of transaction; returns its digest in hex."""
    chain = ProbeChain(engine)
    chain.execute()
    chain.execute(
        probe("bump", 5),
        probe("bump", 5),
        probe("logAll", 9, b"some data that takes more than one word to hold", sender=BOB),
        probe("markBlock", sender=CAROL),
        seconds=12,
    )
    chain.execute(*[probe(name, *args, sender=BOB) for name, (args, _) in FAILURES.items()])
    chain.execute(
        probe("addTransient", 3),
        probe("addTransient", 4),
        probe("nestTransient", 5),
        probe("swallow", PROBE.encode("failCustom", 1, "inner"), sender=CAROL),
        probe("starve", 50_000),
        probe("create2", bytes(32), b"\x60\x00\x60\x00\xf3"),
        probe("create2", bytes(32), b"\x60\x00\x60\x00\xf3"),
        probe("setBlob", bytes(range(256))),
        Transaction(ALICE, BOB, b"no code here"),
    )
    chain.execute(probe("write", 1 << 200, 1 << 255), probe("clear"), seconds=3600)
    reads = [
        engine.call(PROBE.address, PROBE.encode(name, *args))
        for name, *args in (
            ("counter",),
            ("stored", 1 << 200),
            ("context",),
            ("precompiles", b"digest"),
            ("work", 20),
        )
    ]
    return chain.digest.finish(reads).hex()


class EngineConformance:
    """Subclass this with a ``make_engine`` fixture."""

    @pytest.fixture
    def make_engine(self) -> MakeEngine:
        """Overridden: returns a callable that gives a fresh engine."""
        raise NotImplementedError("a subclass of EngineConformance needs a make_engine fixture")

    @pytest.fixture
    def engine(self, make_engine: MakeEngine) -> Iterator[Engine]:
        """A fresh engine, closed after the test."""
        engine = make_engine()
        yield engine
        engine.close()

    @pytest.fixture
    def chain(self, engine: Engine) -> ProbeChain:
        """The engine with the probe deployed."""
        return ProbeChain(engine)

    # Deployment

    def test_has_a_name(self, engine: Engine) -> None:
        assert isinstance(engine.name, str)
        assert engine.name

    def test_factory_and_probe_deploy_at_computed_addresses(self, chain: ProbeChain) -> None:
        created, deployed = chain.receipts
        assert created.status
        assert created.output is None
        assert deployed.status
        assert PROBE.address == FACTORY.events(deployed.logs, "Deployed")[0]["created"]
        assert chain.read("codeOf", PROBE.address) == PROBE.artifact.deployed_bytecode

    def test_same_salt_deploys_once_only(self, chain: ProbeChain) -> None:
        again = FACTORY.encode("deploy", bytes(32), _INITCODE)
        (receipt,) = chain.execute(Transaction(BOB, FACTORY.address, again))
        assert not receipt.status
        assert receipt.output in (None, keccak(b"CreationFailed()")[:4])

    def test_constructor_revert_data_comes_through_the_factory(self, chain: ProbeChain) -> None:
        # PUSH1 aa, PUSH0, MSTORE, PUSH1 20, PUSH0, REVERT
        data = FACTORY.encode("deploy", bytes(32), bytes.fromhex("60aa5f5260205ffd"))
        with pytest.raises(Reverted) as caught:
            chain.engine.call(FACTORY.address, data)
        assert caught.value.data == (0xAA).to_bytes(32, "big")

    def test_creation_is_refused_outside_the_first_transaction(self, chain: ProbeChain) -> None:
        creation = Transaction(ALICE, b"", artifact("Create2Factory").initcode())
        with pytest.raises(EngineError):
            chain.execute(creation)
        chain.execute()

    # Blocks

    def test_empty_block_advances_number_and_time(self, chain: ProbeChain) -> None:
        assert chain.execute(seconds=77) == []
        assert chain.read("context")[2:] == (2, START + 77)

    def test_transactions_of_a_block_run_in_order_and_see_each_other(
        self, chain: ProbeChain
    ) -> None:
        senders = [ALICE, BOB, ALICE, CAROL, BOB, ALICE]
        receipts = chain.execute(*[probe("bump", 1, sender=sender) for sender in senders])
        values = [PROBE.events(receipt.logs, "Plain")[0]["value"] for receipt in receipts]
        assert values == [1, 2, 3, 4, 5, 6]
        for value, receipt in enumerate(receipts, 1):
            assert receipt.output in (None, value.to_bytes(32, "big"))
        assert chain.read("counter") == 6

    def test_every_transaction_of_a_block_sees_its_number_and_time(self, chain: ProbeChain) -> None:
        chain.execute()
        receipts = chain.execute(
            *[probe("markBlock", sender=sender) for sender in (ALICE, BOB, CAROL)], seconds=99
        )
        found = [PROBE.events(receipt.logs, "Deposited")[0] for receipt in receipts]
        assert [event["account"] for event in found] == [ALICE, BOB, CAROL]
        assert {(event["number"], event["timestamp"]) for event in found} == {(3, START + 100)}

    def test_identical_transactions_both_execute(self, chain: ProbeChain) -> None:
        receipts = chain.execute(probe("bump", 2), probe("bump", 2))
        assert [receipt.status for receipt in receipts] == [True, True]
        assert chain.read("counter") == 4

    def test_many_senders_never_seen_before(self, chain: ProbeChain) -> None:
        senders = [account("newcomer", index).address for index in range(60)]
        receipts = chain.execute(*[probe("credit", sender, 1, sender=sender) for sender in senders])
        assert [receipt.status for receipt in receipts] == [True] * 60
        movers = [probe("move", BOB, 1, sender=sender) for sender in senders]
        assert all(receipt.status for receipt in chain.execute(*movers))
        assert chain.read("balanceOf", BOB) == 60

    def test_large_block_keeps_its_order(self, chain: ProbeChain) -> None:
        receipts = chain.execute(
            *[probe("bump", 1, sender=(ALICE, BOB)[n % 2]) for n in range(300)]
        )
        values = [PROBE.events(receipt.logs, "Plain")[0]["value"] for receipt in receipts]
        assert values == list(range(1, 301))

    def test_transaction_to_an_address_without_code_succeeds(self, chain: ProbeChain) -> None:
        (receipt,) = chain.execute(Transaction(ALICE, b"\x77" * 20, b"\x01\x02"))
        assert receipt.status
        assert receipt.logs == ()
        assert receipt.output in (None, b"")

    def test_outputs_are_given_for_all_transactions_or_for_none(self, chain: ProbeChain) -> None:
        receipts = chain.execute(
            probe("nothing"),
            probe("echo", b"abc"),
            *[probe(name, *args) for name, (args, _) in FAILURES.items()],
        )
        assert len({receipt.output is None for receipt in receipts}) == 1

    def test_gas_is_given_for_all_transactions_or_for_none(self, chain: ProbeChain) -> None:
        receipts = chain.execute(probe("nothing"), probe("bump", 1), probe("failInvalid"))
        assert len({receipt.gas_used is None for receipt in receipts}) == 1
        if receipts[0].gas_used is not None:
            assert 21_000 < receipts[0].gas_used < receipts[1].gas_used  # type: ignore[operator]

    def test_large_call_data_and_return_data(self, chain: ProbeChain) -> None:
        value = bytes(range(256)) * 250
        receipt = chain.send("echo", value)
        assert receipt.status
        assert receipt.output is None or PROBE.decode("echo", receipt.output) == value
        assert chain.read("echo", value) == value

    # Logs

    def test_logs_keep_shape_and_order(self, chain: ProbeChain) -> None:
        data = b"more than one word: " + bytes(range(50))
        receipt = chain.send("logAll", 9, data)
        nine = (9).to_bytes(32, "big")
        body = PROBE.artifact.events[keccak(b"Indexed1(uint256,bytes)")]
        assert [log.address for log in receipt.logs] == [PROBE.address] * 5
        assert [len(log.topics) for log in receipt.logs] == [0, 1, 2, 4, 1]
        assert receipt.logs[0] == Log(PROBE.address, (), nine)
        assert receipt.logs[1] == Log(PROBE.address, (keccak(b"Plain(uint256)"),), nine)
        assert body.decode(receipt.logs[2]) == {"a": 9, "data": data}
        assert receipt.logs[3].topics[1:] == (nine, bytes(12) + ALICE, keccak(data))
        assert receipt.logs[3].data == b""
        assert receipt.logs[4] == Log(PROBE.address, (keccak(b"Empty()"),), b"")

    def test_logs_are_plain_bytes_in_tuples(self, chain: ProbeChain) -> None:
        for log in chain.send("logAll", 1, b"x").logs:
            assert type(log) is Log
            assert type(log.address) is bytes
            assert type(log.data) is bytes
            assert type(log.topics) is tuple
            assert {type(topic) for topic in log.topics} <= {bytes}

    def test_each_receipt_has_its_own_logs(self, chain: ProbeChain) -> None:
        receipts = chain.execute(
            probe("bump", 1), probe("nothing"), probe("failString"), probe("markBlock")
        )
        assert [len(receipt.logs) for receipt in receipts] == [1, 0, 0, 1]

    # Failures

    @pytest.mark.parametrize("name", list(FAILURES))
    def test_failed_transaction_leaves_no_trace(self, chain: ProbeChain, name: str) -> None:
        chain.send("bump", 3)
        args, data = FAILURES[name]
        receipts = chain.execute(probe("bump", 1), probe(name, *args), probe("bump", 1))
        assert [receipt.status for receipt in receipts] == [True, False, True]
        failed = receipts[1]
        assert failed.logs == ()
        assert chain.read("counter") == 5
        assert failed.output in (None, data(ALICE))

    @pytest.mark.parametrize("name", list(FAILURES))
    def test_failed_call_raises_its_data(self, chain: ProbeChain, name: str) -> None:
        args, data = FAILURES[name]
        with pytest.raises(Reverted) as caught:
            chain.read(name, *args)
        assert caught.value.data == data(ZERO_ADDRESS)

    def test_swallowed_failure_undoes_the_inner_call_only(self, chain: ProbeChain) -> None:
        receipt = chain.send("swallow", PROBE.encode("failCustom", 4, "inner"))
        assert receipt.status
        (event,) = PROBE.events(receipt.logs, "Indexed1")
        assert event == {"a": 0, "data": _error("Refused", PROBE.address, 4, "inner")}
        assert chain.read("counter") == 1

    def test_inner_call_out_of_gas_does_not_end_the_outer_one(self, chain: ProbeChain) -> None:
        receipt = chain.send("starve", 60_000)
        assert receipt.status
        assert PROBE.events(receipt.logs, "Plain") == [{"value": 0}]
        assert chain.read("counter") == 1

    def test_contract_as_sender_is_refused(self, chain: ProbeChain) -> None:
        with pytest.raises(EngineError):
            chain.execute(probe("bump", 1, sender=FACTORY.address))

    # Transient storage

    def test_transient_storage_starts_every_transaction_at_zero(self, chain: ProbeChain) -> None:
        receipts = chain.execute(*[probe("addTransient", 2) for _ in range(3)])
        values = [PROBE.events(receipt.logs, "Plain")[0]["value"] for receipt in receipts]
        assert values == [2, 2, 2]
        assert chain.read("getTransient") == 0

    def test_transient_storage_lasts_a_transaction_and_reverts_with_its_call(
        self, chain: ProbeChain
    ) -> None:
        chain.send("nestTransient", 5)
        assert chain.read("counter") == 5

    def test_transient_storage_of_a_call_is_discarded(self, chain: ProbeChain) -> None:
        assert chain.read("addTransient", 8) == 8
        assert chain.read("addTransient", 8) == 8
        receipt = chain.send("addTransient", 1)
        assert PROBE.events(receipt.logs, "Plain") == [{"value": 1}]

    # Reads

    def test_call_sees_the_last_block_the_chain_and_no_sender(self, chain: ProbeChain) -> None:
        chain.execute(seconds=500)
        assert chain.read("context") == (ZERO_ADDRESS, CHAIN_ID, 2, START + 500)

    def test_call_discards_its_changes(self, chain: ProbeChain) -> None:
        assert chain.read("bump", 9) == 9
        assert chain.read("bump", 9) == 9
        with pytest.raises(Reverted):
            chain.read("failAssert")
        assert chain.read("counter") == 0
        chain.send("bump", 1)
        assert chain.read("counter") == 1

    def test_calls_leave_later_transactions_alone(self, chain: ProbeChain) -> None:
        for _ in range(5):
            chain.read("bump", 1)
            chain.read("create2", bytes(32), b"\x00")
        assert chain.send("create2", bytes(32), b"\x00").status

    def test_call_to_an_address_without_code_returns_nothing(self, chain: ProbeChain) -> None:
        assert chain.engine.call(b"\x77" * 20, b"\x01\x02\x03\x04") == b""

    def test_call_returns_plain_bytes(self, chain: ProbeChain) -> None:
        assert type(chain.engine.call(PROBE.address, PROBE.encode("counter"))) is bytes

    def test_call_has_gas_for_a_large_scan(self, chain: ProbeChain) -> None:
        # 40 million gas, more than a block of mainnet held for years
        assert chain.read("work", 18_000) > 0

    def test_precompiles_answer(self, chain: ProbeChain) -> None:
        sha, _, signer, copy, power = chain.read("precompiles", b"digest")
        expected = hashlib.sha256(b"digest").digest()
        assert sha == expected
        assert signer != ZERO_ADDRESS
        assert copy == b"digest"
        modulus = (1 << 256) - 189
        assert int.from_bytes(power, "big") == pow(int.from_bytes(expected, "big"), 65537, modulus)

    # Snapshots

    def test_revert_restores_state_number_and_time(self, chain: ProbeChain) -> None:
        chain.send("bump", 1)
        token = chain.engine.snapshot()
        before = chain.block
        for _ in range(3):
            chain.send("bump", 10)
        chain.engine.revert(token)
        assert chain.read("counter") == 1
        assert chain.read("context")[2:] == (2, START + 1)
        chain.block = before
        chain.execute(probe("bump", 5), seconds=2)
        assert chain.read("counter") == 6
        assert chain.read("context")[2:] == (3, START + 3)

    def test_replay_after_a_revert_gives_the_same_receipts(self, chain: ProbeChain) -> None:
        chain.send("bump", 1)
        block = Block(
            3,
            START + 9,
            (
                probe("bump", 1),
                probe("logAll", 1, b"a", sender=account("stranger").address),
                probe("create2", bytes(32), b"\x5b"),
                probe("failDivide", 1, 0, sender=BOB),
            ),
        )
        with anchor(chain.engine):
            first = chain.engine.execute(block)
        with anchor(chain.engine):
            assert chain.engine.execute(block) == first

    def test_snapshots_nest(self, chain: ProbeChain) -> None:
        engine = chain.engine
        tokens = []
        for depth in range(1, 5):
            tokens.append((engine.snapshot(), depth - 1))
            chain.send("bump", 1)
        for token, counter in reversed(tokens):
            engine.revert(token)
            assert chain.read("counter") == counter
        assert chain.read("context")[2:] == (1, START)

    def test_call_between_snapshot_and_revert_is_harmless(self, chain: ProbeChain) -> None:
        with anchor(chain.engine):
            chain.read("bump", 4)
            chain.send("bump", 1)
            with pytest.raises(Reverted):
                chain.read("failEmpty")
        assert chain.read("counter") == 0

    def test_snapshot_before_the_first_block(self, engine: Engine) -> None:
        with anchor(engine):
            ProbeChain(engine)
        assert engine.call(PROBE.address, PROBE.encode("counter")) == b""
        assert all(receipt.status for receipt in ProbeChain(engine).receipts)

    def test_many_snapshots_in_turn(self, chain: ProbeChain) -> None:
        for _ in range(30):
            with anchor(chain.engine):
                chain.engine.execute(Block(2, START + 1, (probe("bump", 1),)))
        assert chain.read("counter") == 0

    def test_token_is_used_up_by_its_revert(self, chain: ProbeChain) -> None:
        token = chain.engine.snapshot()
        chain.engine.revert(token)
        with pytest.raises(EngineError):
            chain.engine.revert(token)
        assert chain.read("counter") == 0

    def test_older_token_cannot_be_reverted_first(self, chain: ProbeChain) -> None:
        outer = chain.engine.snapshot()
        chain.send("bump", 1)
        inner = chain.engine.snapshot()
        chain.send("bump", 1)
        with pytest.raises(EngineError):
            chain.engine.revert(outer)
        assert chain.read("counter") == 2
        chain.engine.revert(inner)
        chain.engine.revert(outer)
        assert chain.read("counter") == 0

    def test_unknown_token_is_refused(self, chain: ProbeChain) -> None:
        token = chain.engine.snapshot()
        for wrong in (token + 1, -1, 0):
            with pytest.raises(EngineError):
                chain.engine.revert(wrong)
        chain.engine.revert(token)

    def test_tokens_are_never_given_out_again(self, chain: ProbeChain) -> None:
        tokens = set()
        for _ in range(5):
            token = chain.engine.snapshot()
            tokens.add(token)
            chain.engine.revert(token)
        assert len(tokens) == 5

    def test_too_many_open_snapshots_are_refused_or_work(self, chain: ProbeChain) -> None:
        tokens = []
        try:
            for _ in range(MAX_OPEN_SNAPSHOTS + 1):
                tokens.append(chain.engine.snapshot())  # noqa: PERF401 - stops at the refusal
        except EngineError:
            assert len(tokens) >= 64
        assert chain.read("bump", 1) == 1
        for token in reversed(tokens):
            chain.engine.revert(token)
        assert chain.read("counter") == 0

    # Misuse leaves an engine as it was

    @pytest.mark.parametrize(
        ("number", "timestamp"),
        [
            (1, START + 1),
            (3, START + 1),
            (0, START + 1),
            (2, START),
            (2, START - 1),
            (2, 0),
        ],
        ids=["repeated", "skipped", "backwards", "same-time", "earlier", "zero-time"],
    )
    def test_block_out_of_order_is_refused(
        self, chain: ProbeChain, number: int, timestamp: int
    ) -> None:
        with pytest.raises(EngineError):
            chain.engine.execute(Block(number, timestamp, (probe("bump", 1),)))
        assert chain.send("bump", 1).status
        assert chain.read("counter") == 1

    def test_first_block_is_number_one(self, engine: Engine) -> None:
        for number in (0, 2):
            with pytest.raises(EngineError):
                engine.execute(Block(number, START))
        ProbeChain(engine)

    @pytest.mark.parametrize(
        "transaction",
        [
            Transaction(ALICE[:19], PROBE.address, b""),
            Transaction(b"", PROBE.address, b""),
            Transaction(ALICE, PROBE.address[:19], b""),
            Transaction(ALICE, PROBE.address + b"\0", b""),
        ],
        ids=["short-sender", "no-sender", "short-to", "long-to"],
    )
    def test_malformed_transaction_is_refused_with_its_whole_block(
        self, chain: ProbeChain, transaction: Transaction
    ) -> None:
        with pytest.raises(EngineError):
            chain.execute(probe("bump", 1), transaction)
        assert chain.read("counter") == 0
        assert chain.send("bump", 1).status

    def test_closing_twice_is_allowed_and_use_after_it_raises(self, engine: Engine) -> None:
        chain = ProbeChain(engine)
        token = engine.snapshot()
        engine.close()
        engine.close()
        uses: Sequence[Callable[[], object]] = (
            lambda: chain.send("bump", 1),
            lambda: chain.read("counter"),
            engine.snapshot,
            lambda: engine.revert(token),
        )
        for use in uses:
            with pytest.raises(EngineError):
                use()

    # Inspection, where it is offered

    def test_storage_and_balance(self, chain: ProbeChain) -> None:
        engine = chain.engine
        if not isinstance(engine, Inspectable):
            pytest.skip("no inspection offered")
        chain.execute(probe("bump", 7), probe("write", 3, 1 << 255))
        slot = int.from_bytes(keccak((3).to_bytes(32, "big") + (1).to_bytes(32, "big")), "big")
        assert engine.storage(PROBE.address, 0) == 7
        assert engine.storage(PROBE.address, slot) == 1 << 255
        assert engine.storage(PROBE.address, slot + 1) == 0
        assert engine.storage(b"\x77" * 20, 0) == 0
        assert engine.balance(ALICE) == 0

    # Agreement

    def test_two_fresh_engines_agree(self, make_engine: MakeEngine) -> None:
        digests = []
        for _ in range(2):
            engine = make_engine()
            digests.append(golden_history(engine))
            engine.close()
        assert digests[0] == digests[1]

    def test_fixed_history_gives_the_golden_digest(self, engine: Engine) -> None:
        assert golden_history(engine) == GOLDEN_DIGEST

    def test_digest_is_the_same_after_a_detour(self, engine: Engine) -> None:
        with anchor(engine):
            golden_history(engine)
        assert golden_history(engine) == GOLDEN_DIGEST
