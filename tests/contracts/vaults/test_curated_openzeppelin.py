"""The curated vault beside OpenZeppelin's ERC-4626, compiled from its published sources.

OpenZeppelin converts as if one share more were there, and one asset more that is that share's. A
share that nobody redeems is the same thing: with it, both vaults are given the same deposits and
withdrawals, gains and losses, and answer the same to the unit.
"""

from __future__ import annotations

import importlib.util
import json
import posixpath
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Artifact, Contract, parse_artifact

OPENZEPPELIN = (
    "@openzeppelin/contracts",
    "5.7.0",
    "sha512-IL2AZpI+7THMzt1u6Cxmc1zLwVnudtUGvrqXQ/HnbLKfQ/8dIWMMQPDwPIjRQzNrlAo4cxZaCGRB/XvwPo9ILA==",
)
WRAPPER = """
// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ERC20} from "./token/ERC20/ERC20.sol";
import {ERC4626, IERC20} from "./token/ERC20/extensions/ERC4626.sol";

/// OpenZeppelin's vault is abstract; what it holds is what it counts.
contract Production is ERC4626 {
    constructor(IERC20 asset_) ERC20("Production", "P") ERC4626(asset_) {}

    function lose(uint256 assets) external {
        IERC20(asset()).transfer(address(0xdead), assets);
    }
}
"""
PEOPLE = ("alice", "bob", "carol")
ACTIONS = {"deposit": 3, "mint": 3, "withdraw": 2, "redeem": 2}
USD = 10**8


@pytest.fixture(scope="module")
def production(npm_package: Callable[[str, str, str], Path]) -> Artifact:
    """The wrapper and what it imports, compiled with the project's compiler and settings."""
    package = npm_package(*OPENZEPPELIN)
    script = Path(__file__).parents[3] / "scripts" / "compile_contracts.py"
    spec = importlib.util.spec_from_file_location("compile_contracts", script)
    assert spec is not None
    assert spec.loader is not None
    compiler = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compiler)
    sources, queue = {"Production.sol": WRAPPER}, ["Production.sol"]
    while queue:
        unit = queue.pop()
        for imported in compiler.IMPORT.findall(sources[unit]):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(unit), imported))
            if path not in sources:
                sources[path] = (package / path).read_text("utf-8")
                queue.append(path)
    try:
        output = compiler.run_solc(sources)
    except compiler.InputError as error:
        pytest.skip(str(error))
    files = compiler.artifacts_of(output, ["Production.sol"])
    return parse_artifact(json.loads(files["Production.json"]))


class Pair:
    """Our vault, whose assets are lent for interest, and theirs, made to hold as much."""

    def __init__(self, vault: Any, code: Artifact) -> None:
        self.vault, self.chain = vault, vault.chain
        self.theirs: Contract = self.chain.deploy("Production", vault.asset.address, compiled=code)
        vault.deposit("nobody", 1)  # the share that is OpenZeppelin's virtual one
        for who in PEOPLE:
            me = vault.fund(who, 10**9 * vault.unit)
            self.chain.approve(me, vault.asset, self.theirs)
        vault.parts[0].supply_market("whale", 10**6 * vault.unit)

    def level(self) -> None:
        """Make theirs hold what ours is worth in the block after the next, the one asset apart."""
        chain, asset = self.chain, self.vault.asset
        with chain.anchor():
            chain.wait(2)
            wanted = self.vault.read("totalAssets") - 1
        held = chain.balance(asset, self.theirs)
        if wanted >= held:
            chain.mint(asset, self.theirs.address, wanted - held)
        else:
            chain.send(account("fate").address, self.theirs, "lose", held - wanted)

    def both(self, who: str, function: str, *args: Any) -> tuple[int, int]:
        """Call both in one block; what each returns."""
        me = account(who).address
        receipts = self.chain.send_block(
            [(me, contract, function, *args) for contract in (self.vault.contract, self.theirs)]
        )
        ours, theirs = (int.from_bytes(receipt.output or b"", "big") for receipt in receipts)
        return ours, theirs

    def quotes(self, amount: int) -> list[tuple[int, int]]:
        """What each says to the questions of the standard in the block that comes next."""
        names = (
            "convertToShares",
            "convertToAssets",
            *(f"preview{a.capitalize()}" for a in ACTIONS),
        )
        with self.chain.anchor():
            self.chain.wait(1)
            return [
                (self.vault.read(name, amount), self.chain.read(self.theirs, name, amount))
                for name in names
            ]


@pytest.mark.slow
@pytest.mark.parametrize("decimals", [6, 18])
def test_amounts_are_those_of_openzeppelins_vault(
    make_curated: Any, production: Artifact, rng: random.Random, decimals: int
) -> None:
    vault = make_curated("isolated", decimals=decimals)
    pair, chain, unit = Pair(vault, production), vault.chain, vault.unit
    done: Counter[str] = Counter()
    for step in range(1_000):
        who, action = rng.choice(PEOPLE), rng.choices(list(ACTIONS), list(ACTIONS.values()))[0]
        amount = int(10_000 ** rng.random() * unit) + rng.randint(0, 9)
        if rng.random() < 0.2:
            amount = rng.randint(1, 9)
        held = vault.shares(who)
        if action in ("withdraw", "redeem"):
            with chain.anchor():
                chain.wait(2)
                name = f"max{action.capitalize()}"
                limit = vault.read(name, account(who).address)
            amount = limit if rng.random() < 0.2 else min(amount, limit)
        chance = rng.random()
        idle = vault.read("idle")
        if chance < 0.2 and idle > 10**4:
            vault.allocate(int(idle * rng.uniform(0.3, 0.9)))
        elif chance < 0.3:
            vault.parts[0].lend(f"borrower {step}", 1_000 * unit, 10**21)
        elif chance < 0.33:
            before = vault.read("totalAssets")
            vault.parts[0].default(f"borrower {step}", 20_000 * unit, 700 * USD)
            done["lost"] += vault.read("totalAssets") < before
        chain.wait(rng.choice([1, 3_600, 24 * 3_600]))
        pair.level()
        for ours, theirs in pair.quotes(amount):
            assert ours == theirs
        if not amount:
            continue
        me = account(who).address
        with chain.anchor():
            chain.wait(1)
            quoted = vault.read(f"preview{action.capitalize()}", amount)
            short = action == "withdraw" and quoted > held
            short |= (amount if action == "withdraw" else quoted) > vault.read("liquidity") and (
                action in ("withdraw", "redeem")
            )
        if short or not quoted:  # what ours refuses and theirs would do for nothing
            done["refused"] += 1
            continue
        args = (amount, me) if action in ("deposit", "mint") else (amount, me, me)
        ours, theirs = pair.both(who, action, *args)
        assert ours == theirs == quoted
        done[action] += 1
        assert vault.shares(who) == chain.balance(pair.theirs, me)
        assert vault.read("totalSupply") == chain.read(pair.theirs, "totalSupply") + 1
    print(dict(done))
    assert min(done[action] for action in (*ACTIONS, "lost")) > 5
