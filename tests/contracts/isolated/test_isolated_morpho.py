"""The isolated market beside Morpho Blue's own code: equal to the wei.

Both are given the same prices, the same rates and the same random actions: interest, supply and
withdrawal, partial and full liquidation, bad debt. Morpho Blue is compiled from its published
sources as it is deployed; its own IrmMock (utilisation is the yearly rate) is a kinked curve whose
two slopes meet in a straight line.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Artifact, Contract, parse_artifact
from harness.errors import Reverted

WAD = 10**18
RAY = 10**27
USD = 10**8
PEOPLE = ("alice", "bob", "carol")
KINK = 8 * RAY // 10

MORPHO = (
    "@morpho-org/morpho-blue",
    "1.0.0",
    "sha512-MKtzYMRE65B1hVJYAPtml3ecHPY2e/SL3JRvM7XWjtbnWQX6U/C3beSdxr7v+rHaVJ0ri/dUPxvNfWtr0NZdGw==",
)
SOLC = (
    "solc",
    "0.8.19",
    "sha512-yqurS3wzC4LdEvmMobODXqprV4MYJcVtinuxgrp61ac8K2zz40vXA0eSAskSHPgv8dQo7Nux39i3QBsHx4pqyA==",
)
SETTINGS = {
    "optimizer": {"enabled": True, "runs": 999_999},
    "viaIR": True,
    "evmVersion": "paris",
    "metadata": {"bytecodeHash": "none"},
    "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}},
}
CODE_SIZE = 15_582  # bytes of Morpho.sol with these settings

# soljson.js is the compiler itself; solc's own wrapper would need packages that npm pack leaves out
DRIVER = """
const soljson = require(process.argv[1]);
const compile = soljson.cwrap('solidity_compile', 'string', ['string', 'number', 'number']);
process.stdout.write(compile(require('fs').readFileSync(0, 'utf8'), 0, 0));
"""


@pytest.fixture(scope="module")
def morpho_code(npm_package: Callable[[str, str, str], Path]) -> dict[str, Artifact]:
    """Morpho, IrmMock and OracleMock, compiled once and kept beside the fetched packages."""
    sources, compiler = npm_package(*MORPHO), npm_package(*SOLC)
    contents = {
        path.relative_to(sources).as_posix(): {"content": path.read_text("utf-8")}
        for path in sorted((sources / "src").rglob("*.sol"))
    }
    request = json.dumps({"language": "Solidity", "sources": contents, "settings": SETTINGS})
    key = hashlib.sha256(request.encode()).hexdigest()[:16]
    cached = sources.parent / f"compiled-{key}.json"
    if not cached.exists():
        node = shutil.which("node")
        if node is None:
            pytest.skip("node is not on PATH: install Node.js to compile Morpho Blue")
        result = subprocess.run(
            [node, "-e", DRIVER, str(compiler / "soljson.js")],
            input=request,
            capture_output=True,
            text=True,
            check=True,
        )
        partial = cached.with_suffix(f".{os.getpid()}")
        partial.write_text(result.stdout, "utf-8")
        partial.replace(cached)
    output = json.loads(cached.read_text("utf-8"))
    assert not [e for e in output.get("errors", []) if e["severity"] == "error"]
    code = {}
    for unit, name in (
        ("src/Morpho.sol", "Morpho"),
        ("src/mocks/IrmMock.sol", "IrmMock"),
        ("src/mocks/OracleMock.sol", "OracleMock"),
    ):
        compiled = output["contracts"][unit][name]
        code[name] = parse_artifact(
            {
                "contractName": name,
                "abi": compiled["abi"],
                "bytecode": compiled["evm"]["bytecode"]["object"],
                "deployedBytecode": compiled["evm"]["deployedBytecode"]["object"],
            }
        )
    assert len(code["Morpho"].deployed_bytecode) == CODE_SIZE
    return code


class Pair:
    """Our market and Morpho Blue's, on the same tokens."""

    def __init__(self, rig: Any, code: dict[str, Artifact]) -> None:
        self.rig = rig
        chain = self.chain = rig.chain
        self.admin = account("admin").address
        self.morpho: Contract = chain.deploy("Morpho", self.admin, compiled=code["Morpho"])
        irm = chain.deploy("IrmMock", compiled=code["IrmMock"])
        self.oracle = chain.deploy("OracleMock", compiled=code["OracleMock"])
        lltv = rig.config["lltv"]
        tokens = (rig.debt.address, rig.collateral.address)
        self.params = (*tokens, self.oracle.address, irm.address, lltv)
        chain.send(self.admin, self.morpho, "enableIrm", irm.address)
        chain.send(self.admin, self.morpho, "enableLltv", lltv)
        receipt = chain.send(self.admin, self.morpho, "createMarket", self.params)
        self.id = receipt.logs[0].topics[1]
        if rig.config["fee"]:
            chain.send(self.admin, self.morpho, "setFee", self.params, rig.config["fee"])
            treasury = account("treasury").address
            chain.send(self.admin, self.morpho, "setFeeRecipient", treasury)
        for name in (*PEOPLE, "bank"):
            for token in (rig.debt, rig.collateral):
                rig.fund(name, token, 10**36)
                chain.approve(account(name).address, token, self.morpho)

    def price(self, collateral: int, debt: int) -> None:
        """The same price for both."""
        self.rig.price(collateral, debt)
        self.chain.send(self.admin, self.oracle, "setPrice", self.rig.read("price"))

    def both(self, sender: str, ours: tuple[Any, ...], theirs: tuple[Any, ...], after: int) -> str:
        """One action on both markets in one block: done on both, or the two reasons they refused.

        What they return, and the tokens that they pay or are paid, must be the same.
        """
        chain, me = self.chain, account(sender).address
        before = self.balances()
        refusals = []
        for market, call in ((self.rig.market, ours), (self.morpho, theirs)):
            with chain.anchor():
                try:
                    chain.send(me, market, *call, after=after)
                except Reverted as error:
                    refusals.append(str(error))
        if refusals:
            assert len(refusals) == 2, (ours, refusals)
            return " / ".join(refusals)
        calls = [(me, self.rig.market, *ours), (me, self.morpho, *theirs)]
        receipts = chain.send_block(calls, after)
        if ours[0] == "liquidate":  # (repaid, seized) against (seized, repaid)
            output = receipts[0].output
            assert output[32:] + output[:32] == receipts[1].output
        else:
            assert receipts[0].output == receipts[1].output, ours
        moved = [now - old for now, old in zip(self.balances(), before, strict=True)]
        assert moved[:2] == moved[2:], ours
        return ""

    def balances(self) -> list[int]:
        """Debt and collateral tokens of ours and of theirs."""
        tokens = (self.rig.debt, self.rig.collateral)
        return [
            self.chain.balance(token, market)
            for market in (self.rig.market, self.morpho)
            for token in tokens
        ]

    def assert_equal(self) -> None:
        """The same totals and positions; each has just charged its interest."""
        state = self.rig.state()
        market = self.chain.read(self.morpho, "market", self.id)
        assert state[:4] == market[:4]
        for name in (*PEOPLE, "treasury"):
            address = account(name).address
            ours = self.rig.read("position", address)
            assert ours == self.chain.read(self.morpho, "position", self.id, address), name


@pytest.fixture
def make_pair(make_isolated: Any, morpho_code: dict[str, Artifact]) -> Callable[..., Pair]:
    def make(**config: Any) -> Pair:
        # u up to the kink, then kink + (1 - kink)(u - kink)/(1 - kink): u throughout
        rig = make_isolated(kink=KINK, slope1=KINK, slope2=RAY - KINK, **config)
        return Pair(rig, morpho_code)

    return make


def act(pair: Pair, who: str, action: str, amounts: tuple[int, ...], after: int) -> str:
    """An action on both, Morpho's parameters put where it wants them."""
    me = account(who).address
    params = pair.params
    if action in ("supply", "repay"):
        return pair.both("bank", (action, *amounts, me), (action, params, *amounts, me, b""), after)
    if action == "supplyCollateral":
        return pair.both("bank", (action, *amounts, me), (action, params, *amounts, me, b""), after)
    if action == "liquidate":
        return pair.both(
            "bank", (action, me, *amounts, b""), (action, params, me, *amounts, b""), after
        )
    return pair.both(who, (action, *amounts, me, me), (action, params, *amounts, me, me), after)


def charge(pair: Pair) -> None:
    """Interest on both, in one block."""
    bank = account("bank").address
    pair.chain.send_block(
        [
            (bank, pair.rig.market, "accrueInterest"),
            (bank, pair.morpho, "accrueInterest", pair.params),
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("lltv", [860, 915, 945])
def test_interest_partial_and_full_liquidation_and_bad_debt_are_morphos(
    make_pair: Callable[..., Pair], lltv: int
) -> None:
    pair = make_pair(lltv=lltv * WAD // 1_000)
    pair.price(2_000 * USD, USD)
    assert not act(pair, "carol", "supply", (1_000_000 * WAD, 0), 1)
    for who in ("alice", "bob"):
        assert not act(pair, who, "supplyCollateral", (100 * WAD,), 1)
        assert not act(pair, who, "borrow", (200_000 * WAD * lltv // 1_000 - WAD, 0), 1)
    pair.chain.wait(30 * 24 * 3_600)
    charge(pair)
    pair.assert_equal()
    assert pair.rig.state().borrow_assets > 400_000 * WAD * lltv // 1_000
    seize = act(pair, "alice", "liquidate", (10 * WAD, 0), 12)
    assert not seize
    pair.assert_equal()
    shares = pair.rig.position("alice").borrow_shares
    assert not act(pair, "alice", "liquidate", (0, shares), 12)
    pair.assert_equal()
    assert pair.rig.position("alice").debt == 0 < pair.rig.position("alice").collateral
    pair.price(1_500 * USD, USD)
    before = pair.rig.state().supply_assets
    assert not act(pair, "bob", "liquidate", (100 * WAD, 0), 12)
    pair.assert_equal()
    assert pair.rig.position("bob").debt == pair.rig.position("bob").collateral == 0
    assert pair.rig.state().supply_assets < before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decimals", "lltv", "fee"),
    [((18, 18), 860, 0), ((8, 6), 915, WAD // 10), ((18, 6), 945, WAD // 4), ((6, 18), 300, 0)],
)
def test_random_actions_leave_both_markets_equal(
    make_pair: Callable[..., Pair],
    rng: random.Random,
    decimals: tuple[int, int],
    lltv: int,
    fee: int,
) -> None:
    pair = make_pair(
        collateral_decimals=decimals[0],
        debt_decimals=decimals[1],
        lltv=lltv * WAD // 1_000,
        fee=fee,
    )
    rig = pair.rig
    units = (10 ** decimals[0], 10 ** decimals[1])
    pair.price(2_000 * USD, USD)
    done: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    bad_debts = 0
    for _ in range(250):
        if rng.random() < 0.3:
            pair.price(
                rng.choice([lltv, 1_400, 1_800, 2_000]) * USD + rng.randint(0, USD),
                USD + rng.randint(-99, 99),
            )
        who = rng.choice(PEOPLE)
        held = rig.position(who)
        state = rig.state()
        action = rng.choices(
            (
                "supply",
                "withdraw",
                "borrow",
                "repay",
                "supplyCollateral",
                "withdrawCollateral",
                "liquidate",
            ),
            (4, 2, 6, 2, 3, 1, 6),
        )[0]
        if action.endswith("Collateral"):
            amounts: tuple[int, ...] = (int(100 ** rng.random() * units[0]),)
        elif action == "liquidate":
            who = min(PEOPLE, key=rig.health)
            held = rig.position(who)
            part = rng.choice([0.3, 1, 1, rng.uniform(0, 1.05)])
            seized = max(1, int(held.collateral * part) if part != 1 else held.collateral)
            shares = max(1, int(held.borrow_shares * part) if part != 1 else held.borrow_shares)
            amounts = rng.choice([(seized, 0), (0, shares)])
        elif action == "borrow" and rng.random() < 0.8:
            worth = held.collateral * state.price // 10**36 * lltv // 1_000
            room = min(worth - held.debt, state.supply_assets - state.borrow_assets)
            amounts = (max(1, room * rng.randint(70, 100) // 100), 0)
        else:
            amount = int(200_000 ** rng.random() * units[1])
            all_shares = {"withdraw": held.supply_shares, "repay": held.borrow_shares}
            shares = all_shares.get(action, amount * 10**6)
            amounts = rng.choice([(amount, 0), (0, max(1, shares))])
        after = rng.choice([1, 12, 3_600, 30 * 24 * 3_600])
        refusal = act(pair, who, action, amounts, after)
        if refusal:
            refused[refusal.partition("(")[0]] += 1
            continue
        done[action] += 1
        if action == "liquidate":
            bad_debts += not rig.position(who).collateral
        charge(pair)
        pair.assert_equal()
    print(done, refused, bad_debts)
    assert len(done) == 7
    assert bad_debts
