"""A curated vault beside an independent model of it in integers: equal to the unit.

What the model is given are the markets' and the receipts' totals as each call begins; whatever the
call does to them, to the vault's shares, its idle assets and its losses, the model works out.
"""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.errors import Reverted

RAY = 10**27


class RefusedError(Exception):
    """The vault must refuse this, with the error of that name."""


def up(numerator: int, denominator: int) -> int:
    """A quotient rounded up."""
    return -(-numerator // denominator)


@dataclass
class Behind:
    """A receipt vault and its market: assets and units of the price of a unit, the cash, and the
    receipt's shares and units."""

    isolated: bool
    assets: int
    units: int
    cash: int
    shares: int
    held: int

    def worth(self, shares: int) -> int:
        """What shares redeem for."""
        if not self.shares:
            return 0
        return shares * self.held // self.shares * self.assets // self.units

    def put(self, assets: int) -> int:
        """Deposits; shares."""
        units = assets * self.units // self.assets
        if not units:
            raise RefusedError("ZeroShares" if self.isolated else "ZeroAmount")
        shares = units * self.shares // self.held if self.shares else assets
        if not shares:
            raise RefusedError("ZeroShares")
        self._move(assets, units, shares)
        return shares

    def take(self, assets: int) -> int:
        """Withdraws; shares."""
        units = up(assets * self.units, self.assets)
        shares = up(units * self.shares, self.held)
        self._move(-assets, -units, -shares)
        return shares

    def _move(self, assets: int, units: int, shares: int) -> None:
        self.cash += assets
        self.shares += shares
        self.held += units
        if self.isolated:  # where a pooled market's index only interest moves
            self.assets += assets
            self.units += units


@dataclass
class Part:
    """What the vault knows of a strategy."""

    shares: int = 0
    worth: int = 0
    lost: int = 0
    coverable: int = 0


@dataclass
class Model:
    """A curated vault."""

    parts: list[Part]
    idle: int = 0
    supply: int = 0
    balances: Counter[str] = field(default_factory=Counter)

    def total(self, behind: list[Behind]) -> int:
        """Idle assets and what the parts are worth."""
        pairs = zip(self.parts, behind, strict=True)
        return self.idle + sum(market.worth(part.shares) for part, market in pairs)

    def touch(self, behind: list[Behind]) -> None:
        """Losses since the last touch."""
        for part, market in zip(self.parts, behind, strict=True):
            worth = market.worth(part.shares)
            loss = max(0, part.worth - worth)
            part.lost += loss
            part.coverable += loss
            part.worth = worth

    def act(self, step: Any, behind: list[Behind]) -> tuple[int, str]:
        """What a call returns, and the error it is refused with, after which all is as before."""
        before = deepcopy(self)
        try:
            return self._act(step, behind), ""
        except RefusedError as error:
            vars(self).update(vars(before))
            return 0, str(error)

    def _act(self, step: Any, behind: list[Behind]) -> int:
        self.touch(behind)
        total, amount = self.total(behind), step.amount
        if step.kind == "touch":
            return 0
        if step.kind == "cover":
            part = self.parts[step.place]
            covered: int = min(amount, part.coverable)
            part.coverable -= covered
            part.lost -= covered
            self.idle += covered
            return covered
        if step.kind == "allocate":
            if amount > self.idle:
                raise RefusedError("InsufficientLiquidity")
            if not amount:
                raise RefusedError(
                    "InconsistentInput" if behind[step.place].isolated else "ZeroAmount"
                )
            self._shift(step.place, behind, amount)
            return 0
        if step.kind == "deallocate":
            if amount > self._cash(step.place, behind):
                raise RefusedError("InsufficientLiquidity")
            self._shift(step.place, behind, -amount)
            return 0
        if step.kind in ("deposit", "mint"):
            fresh = not self.supply
            if step.kind == "deposit":
                assets, shares = (
                    amount,
                    amount if fresh else amount * self.supply // (total or MANY),
                )
                output = shares
            else:
                assets, shares = amount if fresh else up(amount * total, self.supply), amount
                output = assets
            if not shares or not assets:
                raise RefusedError("ZeroShares")
            self.idle += assets
            self._own(step.who, shares)
            return output
        if step.kind == "withdraw":
            assets, shares = amount, up(amount * self.supply, total) if total else 0
            output = shares
        else:
            assets, shares = amount * total // self.supply if self.supply else 0, amount
            output = assets
        if not shares:
            raise RefusedError("ZeroShares")
        if shares > self.balances[step.who]:
            raise RefusedError("InsufficientBalance")
        for place in range(len(self.parts)):
            part = min(max(0, assets - self.idle), self._cash(place, behind))
            if part:
                self._shift(place, behind, -part)
        if assets > self.idle:
            raise RefusedError("InsufficientLiquidity")
        for known in self.parts:
            known.coverable -= up(known.coverable * shares, self.supply)
        self.idle -= assets
        self._own(step.who, -shares)
        return output

    def _own(self, who: str, shares: int) -> None:
        self.balances[who] += shares
        self.supply += shares

    def _cash(self, place: int, behind: list[Behind]) -> int:
        return min(behind[place].worth(self.parts[place].shares), behind[place].cash)

    def _shift(self, place: int, behind: list[Behind], assets: int) -> None:
        """Idle assets into a strategy, or out of it."""
        part, market = self.parts[place], behind[place]
        part.shares += market.put(assets) if assets > 0 else -market.take(-assets)
        self.idle -= assets
        part.worth = market.worth(part.shares)


MANY = 10**60
"""So many assets that nothing is worth a share: a deposit into a vault that has lost everything."""


def look(vault: Any) -> list[Behind]:
    """Markets and receipts as they are now."""
    found = []
    for part in vault.parts:
        totals = part.read("totalSupply"), part.read("heldUnits")
        if part.over == "isolated":
            state = vault.chain.read(part.market, "marketState")
            price = (state[0] + 1, state[1] + 10**6, state[0] - state[2])
        else:
            state, _, _ = vault.chain.read(part.market, "assetState", vault.asset.address)
            price = (state[5], RAY, state[0])
        found.append(Behind(part.over == "isolated", *price, *totals))
    return found


def compare(crowd: Any, model: Model, behind: list[Behind]) -> None:
    """Everything the vault says of itself is what the model has."""
    vault = crowd.vault
    assert vault.read("totalAssets") == model.total(behind)
    assert vault.read("totalSupply") == model.supply
    assert vault.read("idle") == model.idle
    assert {who: vault.shares(who) for who in crowd.PEOPLE} == {
        who: model.balances[who] for who in crowd.PEOPLE
    }
    for place, part in enumerate(model.parts):
        _, worth, lost = vault.read("strategy", place)
        assert (worth, lost) == (behind[place].worth(part.shares), part.lost)
        assert vault.read("coverable", place) == part.coverable


def follow(crowd: Any, steps: int) -> Counter[str]:
    """Let things happen, and compare after each; what was done, refused and lost."""
    vault = crowd.vault
    model = Model([Part() for _ in vault.parts])
    model.idle = 50_000 * vault.unit
    model._own("alice", model.idle)
    done: Counter[str] = Counter()
    calls = ("deposit", "mint", "withdraw", "redeem", "allocate", "deallocate", "touch", "cover")
    for _ in range(steps):
        step = crowd.draw()
        if step.kind not in calls:
            crowd.happen(step)
            compare(crowd, model, look(vault))
            done[step.kind] += 1
            continue
        with vault.chain.anchor():  # what the call will find a second later
            vault.chain.wait(1)
            behind = look(vault)
        expected, refusal = model.act(step, behind)
        if refusal:
            with pytest.raises(Reverted) as caught:
                crowd.call(step)
            assert str(caught.value).partition("(")[0] == refusal
            done[f"{step.kind} refused"] += 1
            continue
        receipt = crowd.call(step)
        output = int.from_bytes(receipt.output or b"", "big")
        assert output == expected, step
        done[step.kind] += 1
        compare(crowd, model, behind)
        done["lost"] += bool(vault.contract.events(receipt.logs, "Lost"))
        done["covered"] += step.kind == "cover" and output > 0
    print(dict(done))
    return done


def test_a_random_run_equals_the_model_to_the_unit(make_crowd: Any) -> None:
    done = follow(make_crowd("isolated", "pooled", "isolated"), 400)
    for kind in ("deposit", "mint", "withdraw", "redeem", "allocate", "deallocate"):
        assert done[kind] > 5, kind
    assert min(done["lost"], done["covered"], done["default"]) > 3


def test_without_defaults_rounding_is_never_noted_as_a_loss(make_crowd: Any) -> None:
    crowd = make_crowd("isolated", "pooled")
    crowd.WEIGHTS = {**crowd.WEIGHTS, "default": 0}
    done = follow(crowd, 250)
    assert done["deallocate"] > 5
    assert [crowd.vault.lost(place) for place in range(2)] == [0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_long_random_runs_equal_the_model_to_the_unit(make_crowd: Any, rng: Any, seed: int) -> None:
    rng.seed(f"{rng.random()} {seed}")
    overs = (("isolated", "pooled", "isolated"), ("isolated",), ("pooled", "isolated"))[seed % 3]
    done = follow(make_crowd(*overs, decimals=(6, 18)[seed % 2]), 5_000)
    assert min(done["lost"], done["covered"]) > 10
