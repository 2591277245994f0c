"""Curated vaults: who is paid from where, what a market's bad debt costs a share, gifts, covers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.accounts import account
from harness.contracts import decode_error

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

WAD = 10**18
USD = 10**8
MAX = (1 << 256) - 1
NO_LIMIT = (1 << 127) - 1
STILL = (0, 0, 0)
"""No interest: what changes is what the test does."""


def ceil_div(numerator: int, denominator: int) -> int:
    """A quotient rounded up."""
    return -(-numerator // denominator)


def test_bad_debt_takes_its_part_of_the_supply_off_every_share(
    make_curated: Any, chain: Chain
) -> None:
    """B lost of a supply of S, of which the vault has V of its total T: B V / S of T.

    To the unit, V B / (S + 1) rounded up, for one asset of an isolated market's is nobody's.
    """
    vault = make_curated("isolated", rates=STILL)
    unit = vault.unit
    supply, part, total = 2_000_000 * unit, 600_000 * unit, 1_000_000 * unit
    vault.deposit("alice", total)
    vault.allocate(part)
    vault.parts[0].supply_market("whale", supply - part)
    feed = chain.deploy("SharePriceFeed", vault.contract.address, 18, "assets per share")
    assert vault.read("totalAssets") == total
    assert chain.read(feed, "latestRoundData")[1] == WAD
    bad = vault.parts[0].default("borrower", 1_000_000 * unit, 800 * USD)
    assert 450_000 * unit < bad < 600_000 * unit
    loss = ceil_div(part * bad, supply + 1)
    assert vault.read("totalAssets") == total - loss
    assert chain.read(feed, "latestRoundData")[1] == (total - loss) * WAD // total
    assert vault.lost(0) == 0  # nobody has touched the vault yet
    receipt = vault.send("anybody", "touch")
    (event,) = vault.contract.events(receipt.logs, "Lost")
    assert event == {"id": 0, "assets": loss}
    assert vault.lost(0) == vault.read("coverable", 0) == loss
    assert vault.contract.events(vault.send("anybody", "touch").logs, "Lost") == []
    assert vault.lost(0) == loss
    assert vault.redeem("alice", total // 10) == (total - loss) // 10


def test_who_leaves_is_paid_from_what_is_idle_then_from_the_markets_in_their_order(
    make_curated: Any,
) -> None:
    vault = make_curated("isolated", "pooled", "isolated", rates=STILL)
    vault.deposit("alice", 1_000)
    vault.allocate(100, 200, 300)
    assert vault.read("idle") == 400
    me = account("alice").address

    def held() -> list[int]:
        return [vault.read("idle"), *(vault.worth(place) for place in range(3))]

    vault.send("alice", "withdraw", 250, me, me)
    assert held() == [150, 100, 200, 300]
    vault.send("alice", "withdraw", 170, me, me)
    assert held() == [0, 80, 200, 300]
    vault.parts[1].lend("borrower", 150, WAD)  # 50 left there
    receipt = vault.send("alice", "withdraw", 200, me, me)
    assert held() == [0, 0, 150, 230]
    assert [event["amount"] for event in transfers(vault, receipt, me)] == [200]
    assert vault.assets("alice") == 620
    with vault.chain.reverts("InsufficientLiquidity", 230, 231):
        vault.send("alice", "withdraw", 231, me, me)
    assert vault.read("liquidity") == vault.read("maxWithdraw", me) == 230
    vault.send("alice", "withdraw", 230, me, me)
    assert held() == [0, 0, 150, 0]


def transfers(vault: Any, receipt: Any, to: bytes) -> list[dict[str, Any]]:
    """Transfers of the asset to an account."""
    logs = [log for log in receipt.logs if log.address == vault.asset.address]
    return [event for event in vault.asset.events(logs, "Transfer") if event["to"] == to]


def test_a_deficit_of_a_pooled_market_is_missing_cash_and_no_loss(make_curated: Any) -> None:
    """A pooled market's claims stay whole while its books have a deficit: who leaves last waits."""
    vault = make_curated("pooled", rates=STILL)
    unit = vault.unit
    vault.deposit("alice", 1_000 * unit)
    vault.allocate(1_000 * unit)
    bad = vault.parts[0].default("borrower", 600 * unit, 800 * USD)
    assert bad > 200 * unit
    vault.send("anybody", "touch")
    assert vault.read("totalAssets") == 1_000 * unit
    assert vault.lost(0) == 0
    me = account("alice").address
    cash = 1_000 * unit - bad
    assert vault.read("liquidity") == vault.read("maxWithdraw", me) == cash
    with vault.chain.reverts("InsufficientLiquidity", cash, 1_000 * unit):
        vault.redeem("alice")
    assert vault.redeem("alice", vault.read("maxRedeem", me)) == cash


def wipe_out(vault: Any, assets: int) -> None:
    """Alice's assets are all lent and all lost."""
    vault.deposit("alice", assets)
    vault.allocate(assets)
    vault.parts[0].supply_market("whale", 3 * assets)  # so that the last unit is not Alice's
    vault.parts[0].default("borrower", 4 * assets, 1)
    assert vault.read("totalAssets") == 0


def test_after_a_total_loss_nobody_enters_for_nothing(make_curated: Any) -> None:
    vault = make_curated("isolated", rates=STILL)
    wipe_out(vault, 1_000 * vault.unit)
    assert vault.read("totalAssets") == 0 < vault.read("totalSupply")
    thief = vault.fund("thief", 10)
    for function in ("maxDeposit", "maxMint", "maxWithdraw"):
        assert vault.read(function, thief) == 0
    for function in ("convertToShares", "convertToAssets", "previewDeposit", "previewWithdraw"):
        assert vault.read(function, 10**30) == 0
    for call in (("deposit", 10, thief), ("mint", 10**30, thief)):
        with vault.chain.reverts("ZeroShares"):
            vault.send("thief", *call)
    assert vault.cover(0, 400 * vault.unit) == 400 * vault.unit
    vault.send("thief", "deposit", 10, thief)
    assert vault.redeem("thief") <= 10
    assert vault.redeem("alice") >= 400 * vault.unit


def test_worthless_shares_can_be_burned_and_the_vault_starts_anew(make_curated: Any) -> None:
    vault = make_curated("isolated", rates=STILL)
    wipe_out(vault, 1_000 * vault.unit)
    assert vault.redeem("alice") == 0
    assert vault.read("totalSupply") == vault.read("coverable", 0) == 0
    assert vault.lost(0) == 1_000 * vault.unit
    assert vault.cover(0, vault.unit) == 0  # it would be nobody's
    vault.deposit("bob", 70)
    assert vault.shares("bob") == vault.read("totalAssets") == 70


@pytest.mark.parametrize("over", ["isolated", "pooled"])
def test_nothing_that_is_sent_to_the_vault_lifts_its_share_price(
    make_curated: Any, chain: Chain, over: str
) -> None:
    vault = make_curated(over, rates=STILL)
    vault.deposit("alice", 1_000)
    vault.allocate(600)
    part = vault.parts[0]
    donor = vault.fund("donor", 5_000)
    chain.send(donor, vault.asset, "transfer", vault.contract.address, 1_000)
    part.deposit("donor", 2_000)
    chain.send(donor, part.contract, "transfer", vault.contract.address, 1_000)
    part.fund("donor", 1_000)
    chain.send(donor, part.contract, "deposit", 1_000, vault.contract.address)
    part.give(1_000)
    assert chain.balance(part.contract, vault.contract) == 600 + 2_000
    assert vault.read("totalAssets") == 1_000
    assert (vault.read("idle"), vault.worth(0), vault.read("liquidity")) == (400, 600, 1_000)
    assert vault.cover(0, 1_000) == 0
    with chain.reverts("InsufficientLiquidity", 600, 601):
        chain.send(vault.curator, vault.contract, "deallocate", 0, 601)
    assert vault.redeem("alice") == 1_000


def test_a_cover_is_at_most_what_was_lost(make_curated: Any, chain: Chain) -> None:
    vault = make_curated("isolated", "isolated", rates=STILL)
    unit = vault.unit
    vault.deposit("alice", 1_000 * unit)
    vault.allocate(500 * unit, 400 * unit)
    vault.parts[0].default("borrower", 400 * unit, 800 * USD)
    before = vault.read("totalAssets")
    lost = 1_000 * unit - before
    assert lost > 100 * unit
    donor = vault.fund("donor", 10_000 * unit)
    assert vault.cover(1, 50) == 0  # that one has lost nothing
    receipt = vault.send("donor", "cover", 0, 40 * unit)
    (event,) = vault.contract.events(receipt.logs, "Covered")
    assert event == {"id": 0, "payer": donor, "assets": 40 * unit}
    assert vault.read("totalAssets") == before + 40 * unit
    assert vault.lost(0) == lost - 40 * unit
    held = vault.assets("donor")
    assert vault.cover(0, 1_000_000 * unit) == lost - 40 * unit
    assert vault.assets("donor") == held + 1_000_000 * unit - (lost - 40 * unit)
    assert vault.read("totalAssets") == 1_000 * unit
    assert vault.lost(0) == vault.read("coverable", 0) == 0


def test_a_cover_never_lifts_a_share_above_its_price_before_the_loss(
    make_curated: Any, chain: Chain
) -> None:
    """Were what is covered paid to the last share, it would make that share dear at will, and
    rounding would rob the next who deposits."""
    vault = make_curated("isolated", rates=STILL)
    unit = vault.unit
    vault.deposit("alice", 1_000 * unit)
    vault.allocate(400 * unit)
    vault.parts[0].default("borrower", 300 * unit, 800 * USD)
    vault.send("thief", "touch")
    lost = vault.lost(0)
    assert lost > 100 * unit
    vault.deposit("thief", 10)
    shares = vault.read("totalSupply")
    alice = vault.shares("alice")
    vault.redeem("alice")
    assert vault.lost(0) == lost  # nothing is forgotten
    assert vault.read("coverable", 0) == lost - ceil_div(lost * alice, shares) <= 3
    vault.cover(0, lost, "thief")
    left = vault.shares("thief")
    assert vault.read("totalAssets") <= left + 1
    vault.deposit("victim", 1_000)
    assert vault.redeem("victim") >= 998


def test_refusals(make_curated: Any, chain: Chain) -> None:
    vault = make_curated("isolated", "pooled", rates=STILL)
    vault.deposit("alice", 100)
    alice, bob = account("alice").address, account("bob").address
    for function in ("allocate", "deallocate"):
        with chain.reverts("NotCurator", alice):
            vault.send("alice", function, 0, 1)
    with chain.reverts("InsufficientLiquidity", 100, 101):
        vault.allocate(101)
    vault.allocate(60)
    with chain.reverts("InsufficientLiquidity", 60, 61):
        chain.send(vault.curator, vault.contract, "deallocate", 0, 61)
    chain.send(vault.curator, vault.contract, "deallocate", 0, 60)
    for call in (
        ("deposit", 0, alice),
        ("mint", 0, alice),
        ("withdraw", 0, alice, alice),
        ("redeem", 0, alice, alice),
    ):
        with chain.reverts("ZeroShares"):
            vault.send("alice", *call)
    with chain.reverts("InsufficientBalance", alice, 100, 101):
        vault.send("alice", "redeem", 101, alice, alice)
    with chain.reverts("InsufficientAllowance", alice, bob, 0, 10):
        vault.send("bob", "redeem", 10, bob, alice)
    vault.send("alice", "approve", bob, 15)
    vault.send("bob", "withdraw", 10, bob, alice)
    assert vault.assets("bob") == 10
    assert vault.read("allowance", alice, bob) == 5
    vault.send("alice", "approve", bob, MAX)
    vault.send("bob", "redeem", 10, bob, alice)
    assert vault.read("allowance", alice, bob) == MAX
    one, two = (part.contract.address for part in vault.parts)
    with chain.reverts("DuplicateStrategy", one):
        chain.deploy("CuratedVault", vault.asset.address, vault.curator, [one, two, one], "C", "C")
    other = chain.token("EUR", 6)
    with chain.reverts("WrongAsset", one):
        chain.deploy("CuratedVault", other.address, vault.curator, [one], "C", "C")


def test_a_token_that_calls_back_finds_the_vault_closed_and_its_price_as_it_was(
    make_curated: Any, chain: Chain
) -> None:
    token = chain.deploy("ReentrantToken")
    vault = make_curated("isolated", decimals=18, asset=token, rates=STILL)
    vault.deposit("alice", 1_000)
    alice = vault.fund("alice", 1_000)
    vault.allocate(500)
    code = vault.contract
    calls = (
        ("deposit", 10, alice),
        ("mint", 10, alice),
        ("withdraw", 10, alice, alice),
        ("redeem", 10, alice, alice),
        ("touch",),
        ("cover", 0, 10),
    )
    for inner in calls:
        chain.send(alice, token, "arm", code.address, code.encode(*inner))
        for outer in calls[:4]:
            chain.send(alice, code, *outer)
            found = decode_error(chain.read(token, "outcome"))
            assert found.partition("(")[0] == "Reentrancy"
    chain.send(alice, token, "arm", code.address, code.encode("convertToAssets", 1_000))
    vault.deposit("bob", 3_000)
    vault.parts[0].deposit("bob", 3_000)
    for function in ("allocate", "deallocate"):  # whose last transfer is a strategy's
        chain.send(vault.curator, code, function, 0, 400)
        assert code.decode("convertToAssets", chain.read(token, "outcome")) == 1_000
    for outer in (*calls[:3], ("redeem", 700, alice, alice)):
        chain.send(alice, code, *outer)
        outcome = chain.read(token, "outcome")  # of the last transfer, when all is booked
        assert code.decode("convertToAssets", outcome) == 1_000


@pytest.mark.parametrize("over", ["isolated", "pooled"])
def test_what_can_be_withdrawn_at_most_can_be_and_no_unit_more(
    make_curated: Any, chain: Chain, over: str
) -> None:
    vault = make_curated(over, "isolated")
    unit = vault.unit
    vault.deposit("alice", 700 * unit)
    vault.deposit("bob", 300 * unit + 7)
    vault.allocate(300 * unit, 600 * unit)
    vault.parts[1].lend("borrower", 500 * unit, WAD)
    chain.wait(365 * 24 * 3_600)
    alice, bob = account("alice").address, account("bob").address
    assert vault.read("maxDeposit", alice) == vault.read("maxMint", alice) == MAX
    # interest would let a little more be withdrawn a second later: all reads and calls at once
    for who, owner in (("alice", alice), ("bob", bob)):
        for function, most in (("withdraw", "maxWithdraw"), ("redeem", "maxRedeem")):
            with chain.anchor():
                chain.wait(1)
                limit = vault.read(most, owner)
            with chain.anchor():
                receipt = vault.send(who, function, limit, owner, owner)
                assert int.from_bytes(receipt.output or b"", "big")
            with chain.anchor(), pytest.raises(Exception, match="Insufficient"):
                vault.send(who, function, limit + 2, owner, owner)


def test_the_lens_reads_what_the_vaults_say(make_curated: Any, chain: Chain) -> None:
    first, second = make_curated("isolated", "pooled"), make_curated("isolated", decimals=18)
    first.deposit("alice", 1_000 * first.unit)
    first.allocate(300 * first.unit, 400 * first.unit)
    first.parts[0].default("borrower", 200 * first.unit, 800 * USD)
    first.send("anybody", "touch")
    second.deposit("alice", 5 * WAD)
    addresses = [vault.contract.address for vault in (first, second)]
    expected: list[int] = []
    for vault in (first, second):
        names = ("totalAssets", "totalSupply", "idle", "liquidity")
        expected += [vault.read(name) for name in names]
        for place in range(vault.read("strategyCount")):
            expected += [vault.worth(place), vault.lost(place), vault.read("noted", place)]
    assert list(chain.read(first.lens, "read", addresses)) == expected
    assert len(expected) == 4 + 6 + 4 + 3
    assert first.lost(0) > 0
