"""Receipt vaults: ERC-4626's promises to the wei, gifts, and shares as collateral elsewhere."""

from __future__ import annotations

import random
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any

import pytest

from harness.accounts import account
from harness.contracts import decode_error
from harness.errors import Reverted

if TYPE_CHECKING:
    from tests.contracts.conftest import Chain

WAD = 10**18
RAY = 10**27
USD = 10**8
MAX = (1 << 256) - 1
NO_LIMIT = (1 << 127) - 1
PEOPLE = ("alice", "bob", "carol")
BOTH = pytest.mark.parametrize("over", ["isolated", "pooled"])


def unit_price(vault: Any) -> Fraction:
    """Assets for a unit of the market, exactly."""
    if vault.over == "isolated":
        state = vault.chain.read(vault.market, "marketState")
        return Fraction(state[0] + 1, state[1] + 10**6)
    state, _, _ = vault.chain.read(vault.market, "assetState", vault.asset.address)
    return Fraction(state[5], RAY)


@BOTH
@pytest.mark.parametrize("gifts", [False, True])
def test_random_deposits_and_withdrawals_match_a_model_and_the_previews(
    make_vault: Any, rng: random.Random, over: str, gifts: bool
) -> None:
    vault = make_vault(over, gifts)
    vault.deposit("holder", 1_000_000 * vault.unit)
    vault.supply_market("whale", 9_000_000 * vault.unit)
    vault.lend("borrower", 500_000 * vault.unit, 1_000 * WAD)
    units = vault.read("heldUnits")
    shares = dict.fromkeys(PEOPLE, 0) | {"holder": 1_000_000 * vault.unit}
    done = dict.fromkeys(("deposit", "mint", "withdraw", "redeem", "gift", "refused"), 0)
    for _ in range(200):
        who = rng.choice(PEOPLE)
        me = vault.fund(who, 10**6 * vault.unit)
        action = rng.choice(("deposit", "mint", "withdraw", "redeem", "gift"))
        vault.chain.wait(rng.choice([1, 3_600, 24 * 3_600]))
        amount = int(100_000 ** rng.random() * vault.unit) + rng.randint(0, 9)
        if action == "gift":
            amount //= 1_000
            with_gift = vault.read("marketUnits")
            vault.give(amount)
            units += (vault.read("marketUnits") - with_gift) * gifts
            done["gift"] += 1
        elif action == "redeem" and rng.random() < 0.4:
            amount = shares[who]
        if action != "gift":
            supply = sum(shares.values())
            before, held = vault.assets(who), vault.read("marketUnits")
            with vault.chain.anchor():  # what is previewed a second later, when it happens
                vault.chain.wait(1)
                price = unit_price(vault)
                quoted = vault.read(f"preview{action.capitalize()}", amount)
            if action == "deposit":
                assets, minted = amount, floor(floor(amount / price) * Fraction(supply, units))
            elif action == "mint":
                assets, minted = ceil(ceil(Fraction(amount * units, supply)) * price), amount
            elif action == "withdraw":
                assets, minted = amount, -ceil(ceil(amount / price) * Fraction(supply, units))
            else:
                assets, minted = floor(floor(Fraction(amount * units, supply)) * price), -amount
            assert quoted == (abs(minted) if action in ("deposit", "withdraw") else assets)
            args = (amount, me) if action in ("deposit", "mint") else (amount, me, me)
            if shares[who] + minted < 0:
                with vault.chain.reverts("InsufficientBalance", me, shares[who], -minted):
                    vault.send(who, action, *args)
                done["refused"] += 1
                continue
            if not minted or not assets:
                with pytest.raises(Reverted):
                    vault.send(who, action, *args)
                done["refused"] += 1
                continue
            receipt = vault.send(who, action, *args)
            assert int.from_bytes(receipt.output, "big") == quoted
            done[action] += 1
            shares[who] += minted
            assert vault.assets(who) - before == (assets if minted < 0 else -assets)
            units += vault.read("marketUnits") - held
        assert {name: vault.shares(name) for name in shares} == shares
        assert vault.read("heldUnits") == units
        assert vault.read("totalAssets") == floor(units * unit_price(vault))
    print(done)
    assert min(done.values()) > 3
    assert vault.chain.balance(vault.asset, vault.contract) == 0


@BOTH
def test_interest_goes_to_the_holders_and_everything_comes_out(make_vault: Any, over: str) -> None:
    vault = make_vault(over)
    vault.deposit("alice", 300 * vault.unit)
    vault.deposit("bob", 100 * vault.unit)
    vault.lend("borrower", 200 * vault.unit, WAD)
    vault.chain.wait(365 * 24 * 3_600)
    alice, bob = vault.worth("alice"), vault.worth("bob")
    assert alice > 315 * vault.unit
    assert alice == pytest.approx(3 * bob, abs=4)
    assert vault.read("maxDeposit", account("alice").address) == MAX
    # half is lent out: only the cash can be withdrawn
    most = vault.read("maxWithdraw", account("alice").address)
    assert most == 200 * vault.unit < alice
    assert (
        0
        <= most - vault.read("convertToAssets", vault.read("maxRedeem", account("alice").address))
        <= 2
    )
    me = vault.fund("borrower", 1_000 * vault.unit)
    if over == "isolated":
        debt = vault.chain.read(vault.market, "position", me)[1]
        vault.chain.send(me, vault.market, "repay", 0, debt, me)
    else:
        vault.chain.send(me, vault.market, "repay", vault.asset.address, MAX, me)
    for who in ("alice", "bob"):
        owner = account(who).address
        assert vault.read("maxRedeem", owner) == vault.shares(who)
        vault.send(who, "redeem", vault.shares(who), owner, owner)
        assert vault.assets(who) >= {"alice": alice, "bob": bob}[who]
    assert vault.read("totalSupply") == 0
    assert vault.read("totalAssets") <= 1


@BOTH
def test_shares_of_another_need_its_allowance(make_vault: Any, chain: Chain, over: str) -> None:
    vault = make_vault(over)
    vault.deposit("alice", 100 * vault.unit)
    alice, bob = account("alice").address, account("bob").address
    with chain.reverts("InsufficientAllowance", alice, bob, 0, 10):
        vault.send("bob", "redeem", 10, bob, alice)
    vault.send("alice", "approve", bob, 15)
    vault.send("bob", "redeem", 10, bob, alice)
    assert vault.assets("bob") in (9, 10)
    with chain.reverts("InsufficientAllowance", alice, bob, 5, 6):
        vault.send("bob", "redeem", 6, bob, alice)
    vault.send("alice", "approve", bob, MAX)
    vault.send("bob", "withdraw", 10, bob, alice)
    assert vault.read("allowance", alice, bob) == MAX


@BOTH
def test_a_gift_lifts_the_share_price_only_where_it_counts(make_vault: Any, over: str) -> None:
    for gifts in (False, True):
        vault = make_vault(over, gifts)
        vault.deposit("alice", 1_000 * vault.unit)
        vault.chain.mint(vault.asset, vault.contract.address, 1_000 * vault.unit)
        assert vault.worth("alice") == 1_000 * vault.unit  # tokens sent count in neither
        vault.give(1_000 * vault.unit)
        assert vault.worth("alice") == (2_000 if gifts else 1_000) * vault.unit
        assert vault.read("countsGifts") == gifts
        assert vault.read("marketUnits") == 2 * vault.read("heldUnits") // (2 if gifts else 1)
        owner = account("alice").address
        vault.send("alice", "redeem", vault.shares("alice"), owner, owner)
        assert vault.assets("alice") == (2_000 if gifts else 1_000) * vault.unit


def test_the_first_depositor_robs_the_second_only_where_gifts_count(
    make_vault: Any, chain: Chain
) -> None:
    for gifts in (False, True):
        vault = make_vault("isolated", gifts)
        vault.deposit("thief", 1)
        vault.give(1_000 * vault.unit)
        if gifts:
            with chain.reverts("ZeroShares"):
                vault.deposit("victim", 999 * vault.unit)
            vault.deposit("victim", 1_999 * vault.unit)
            assert vault.worth("victim") < 1_500 * vault.unit
        else:
            vault.deposit("victim", 1_999 * vault.unit)
            assert vault.worth("victim") >= 1_999 * vault.unit - 1


@pytest.mark.parametrize(
    ("gifts", "capped", "lifted"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_gift_lifts_what_shares_borrow_elsewhere_unless_capped_or_uncounted(
    make_vault: Any, chain: Chain, gifts: bool, capped: bool, lifted: bool
) -> None:
    """Cream, October 2021: a doubled share price doubles the credit of whoever posted shares."""
    vault = make_vault("pooled", gifts, decimals=18)
    vault.deposit("alice", 1_000 * WAD)
    shares = chain.deploy("SharePriceFeed", vault.contract.address, 18, "assets per share")
    assert chain.read(shares, "latestRoundData")[1] == WAD
    rate = shares
    if capped:
        growth = RAY // 10 // (365 * 24 * 3_600)
        args = (shares.address, WAD, chain.now, growth, "capped")
        rate = chain.deploy("CappedGrowthFeed", *args)
    price = chain.deploy("ProductFeed", rate.address, vault.feeds["USD"].address, 8, "rUSD")
    config = (
        vault.contract.address,
        vault.eth.address,
        (price.address, 60, 0, NO_LIMIT),
        (vault.feeds["ETH"].address, 0, 0, NO_LIMIT),
        86 * WAD // 100,
        0,
        bytes(20),
        0,
        0,
        0,
        8 * RAY // 10,
    )
    vault.price("USD", USD)
    elsewhere = chain.deploy("IsolatedMarket", config)
    alice, bank = account("alice").address, account("bank").address
    chain.mint(vault.eth, bank, 100 * WAD)
    chain.approve(bank, vault.eth, elsewhere)
    chain.send(bank, elsewhere, "supply", 100 * WAD, 0, bank)
    chain.approve(alice, vault.contract, elsewhere)
    chain.send(alice, elsewhere, "supplyCollateral", 1_000 * WAD, alice)
    chain.send(alice, elsewhere, "borrow", 42 * WAD // 100, 0, alice, alice)  # $840 on $1,000
    with chain.reverts("Unhealthy"):
        chain.send(alice, elsewhere, "borrow", 2 * WAD // 100, 0, alice, alice)
    vault.give(1_000 * WAD)
    answer = chain.read(rate, "latestRoundData")[1]
    assert answer == 2 * WAD if lifted else WAD <= answer <= WAD + 10**12  # a minute's growth
    if lifted:
        chain.send(alice, elsewhere, "borrow", 43 * WAD // 100, 0, alice, alice)
    else:
        with chain.reverts("Unhealthy"):
            chain.send(alice, elsewhere, "borrow", 2 * WAD // 100, 0, alice, alice)


def test_bad_debt_of_the_market_is_the_holders(make_vault: Any, chain: Chain) -> None:
    vault = make_vault("isolated", decimals=18)
    feed = chain.deploy("SharePriceFeed", vault.contract.address, 18, "assets per share")
    assert chain.read(feed, "latestRoundData")[1] == WAD
    vault.deposit("alice", 10_000 * WAD)
    vault.lend("borrower", 8_600 * WAD, 5 * WAD)
    vault.price("ETH", 1_000 * USD)
    me = vault.fund("liquidator", 10_000 * WAD)
    victim = account("borrower").address
    before = vault.worth("alice")
    receipt = chain.send(me, vault.market, "liquidate", victim, 0, MAX, b"")
    (event,) = vault.market.events(receipt.logs, "Liquidate")
    lost = event["badDebtAssets"]
    assert lost > 3_000 * WAD
    assert vault.worth("alice") == pytest.approx(before - lost, rel=1e-6)  # a second's interest
    price = chain.read(feed, "latestRoundData")[1]
    assert price == vault.read("totalAssets") * WAD // vault.read("totalSupply")


def test_a_vault_knows_its_market(make_vault: Any, chain: Chain) -> None:
    for over in ("isolated", "pooled"):
        vault = make_vault(over)
        assert vault.read("asset") == vault.asset.address
        assert vault.read("market") == vault.market.address
        assert vault.read("decimals") == 6
    with chain.reverts("NotListed", vault.contract):
        chain.deploy(
            "PooledReceiptVault", vault.market.address, vault.contract.address, True, "R", "R"
        )


def test_nothing_is_deposited_or_withdrawn_for_nothing(make_vault: Any, chain: Chain) -> None:
    vault = make_vault("isolated")
    me = vault.fund("alice", 100)
    with chain.reverts("InconsistentInput"):
        vault.send("alice", "deposit", 0, me)
    with chain.reverts("ZeroShares"):
        vault.send("alice", "redeem", 0, me, me)
    with chain.reverts("ZeroShares"):
        vault.send("alice", "withdraw", 1, me, me)


@BOTH
@pytest.mark.parametrize("gifts", [False, True])
def test_a_token_that_calls_back_finds_the_vault_closed(
    make_vault: Any, chain: Chain, over: str, gifts: bool
) -> None:
    token = chain.deploy("ReentrantToken")
    vault = make_vault(over, gifts, decimals=18, asset=token)
    vault.deposit("alice", 1_000)
    alice = vault.fund("alice", 1_000)
    for inner in (
        ("deposit", 10, alice),
        ("mint", 10, alice),
        ("withdraw", 10, alice, alice),
        ("redeem", 10, alice, alice),
    ):
        chain.send(alice, token, "arm", vault.contract.address, vault.contract.encode(*inner))
        for outer in (("deposit", 5, alice), ("redeem", 5, alice, alice)):
            chain.send(alice, vault.contract, *outer)
            found = decode_error(chain.read(token, "outcome"))
            assert found.partition("(")[0] == "Reentrancy"
    assert vault.shares("alice") == vault.worth("alice") == 1_000


@BOTH
def test_a_receiver_who_is_called_back_reads_the_price_as_it_is(
    make_vault: Any, chain: Chain, over: str
) -> None:
    """Shares burned before their units had left were worth 1,333 of what 1,000 had cost."""
    token = chain.deploy("ReentrantToken")
    vault = make_vault(over, False, decimals=18, asset=token)
    vault.deposit("alice", 1_000)
    vault.deposit("bob", 3_000)
    alice = account("alice").address
    reading = vault.contract.encode("convertToAssets", 1_000)
    chain.send(alice, token, "arm", vault.contract.address, reading)
    for outer in (("redeem", 700, alice, alice), ("withdraw", 200, alice, alice)):
        chain.send(alice, vault.contract, *outer)
        outcome = chain.read(token, "outcome")  # of the last transfer, to the receiver
        assert vault.contract.decode("convertToAssets", outcome) == 1_000


def test_a_supply_cap_is_a_limit_on_deposits(make_vault: Any, chain: Chain) -> None:
    vault = make_vault("pooled")
    asset, admin = vault.asset.address, account("admin").address
    vault.deposit("alice", 300)
    config = list(chain.read(vault.market, "assetConfig", asset))
    config[10] = 1_000  # supplyCap
    chain.send(admin, vault.market, "setAssetConfig", tuple(config))
    owner = account("alice").address
    assert vault.read("maxDeposit", owner) == vault.read("maxMint", owner) == 700
    with chain.reverts("SupplyCapExceeded"):
        vault.deposit("alice", 701)
    vault.deposit("alice", 700)
    assert vault.read("maxDeposit", owner) == 0
