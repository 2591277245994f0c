"""A vault's shares on a pool: discounts, arbitrage as far as the vault pays, choice of feed."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from pathlib import Path

import pytest

from harness.cuts import CHANNELS, UNCUT, Cuts, Link
from harness.engine import default_engine, open_engine
from harness.errors import ScenarioError
from harness.experiments.contagion import contagion
from harness.links import links_of
from harness.metrics.losses import losses
from harness.run import Stage, run
from harness.scenario import load_scenario

SEED = 5
UNIT = 10**6
PIPS = 10**6
FEE = 400
FILE = Path(__file__).parent / "vault.toml"

POOL = """[[venue]]
kind = "pool"
name = "shares"
base = "vUSDX"
quote = "USDX"
base_reserve = 100_000
fee_pips = 400
"""
ARBITRAGEUR = """[[agent]]
kind = "share-arbitrageur"
name = "arbitrageur"
pool = "shares"
cash = 1_000_000
bid = {base_gwei = 0}
"""
#: Has a third of the shares, and sells them when the vault cannot pay.
SELLER = """[[agent]]
kind = "vault-depositor"
name = "runner"
vault = "prime"
shares = 300_000
loss_bps = 1
sale_discount_bps = 2_000
latency_blocks = 1
bid = {base_gwei = 0}
"""
SPOT = "asset.vUSDX.feed={kind='pool-spot', pool='shares'}"
CALM = "asset.ALT.price.points=[[36, 1.0]]"
#: What the vault has lent is all lent on, but for what the first market's collateral brings.
ILLIQUID = (
    "venue.prime.market=[{venue='alt', supplied=600_000}]",
    "venue.alt.supplied=0",
    "population.alt-users.position=[{supplied={ALT=52_000}, borrowed={USDX=440_000}},"
    "{supplied={ALT=40_000}, borrowed={USDX=160_000}}]",
)


def traded(tmp_path, *settings, more=""):
    """The scenario of the vault with a pool of its shares, changed and with further tables."""
    file = tmp_path / "vault.toml"
    file.write_text(FILE.read_text() + POOL + more)
    return load_scenario(str(file), settings)


def balances(result):
    """Every asset's row of the ledger adds up, and all invariants hold after every block."""
    rows = losses(result)
    for asset in result.world.tokens:
        assert sum(row.amount for row in rows if row.asset == asset) == 0, asset
        assert sum(row.usd for row in rows if row.asset == asset) == 0, asset
    assert all(result.summary["checks"]["invariants"].values())
    return rows


def worth(block):
    """Assets for a share."""
    state = block.vaults["prime"]
    return Fraction(state.assets, state.shares)


def quoted(block):
    """The pool's price of a share in the vault's asset."""
    shares, assets = block.reserves["shares"]
    return Fraction(assets, shares)


@pytest.fixture(scope="module")
def fallen(tmp_path_factory):
    """The loss is on the vault at once, and an arbitrageur carries it to the pool."""
    return run(traded(tmp_path_factory.mktemp("fallen"), SPOT, more=ARBITRAGEUR), SEED)


def test_the_providers_shares_were_deposited_for(fallen):
    (pool,) = [pool for name, pool in fallen.world.pools.items() if name == "shares"]
    vault = fallen.run.blocks[0].vaults["prime"]
    assert fallen.run.blocks[0].reserves["shares"] == (100_000 * UNIT, 100_000 * UNIT)
    assert vault.shares == vault.assets == 900_000 * UNIT
    held = fallen.run.opening_wallets.tokens["vUSDX"]
    at = fallen.world.holders.index(pool.contract.address)
    assert held[at] == 100_000 * UNIT
    # wallets, with what is collateral in the market that takes shares
    assert sum(held) == vault.shares


def test_arbitrage_brings_the_pool_to_the_worth_up_to_the_fee_in_one_trade(fallen):
    (bad_debt,) = [row for row in fallen.run.bad_debts if row.venue == "alt"]
    after = fallen.run.blocks[bad_debt.block + 1]
    before = fallen.run.blocks[bad_debt.block]
    assert quoted(before) == 1 > worth(before)
    # deposits cost what a share is worth; the pool pays its marginal price less the fee
    kept = Fraction(PIPS - FEE, PIPS)
    shares, assets = before.reserves["shares"]
    sold = (isqrt(int(kept * shares * assets / worth(before))) - shares) / kept
    assert abs(after.reserves["shares"][0] - shares - sold) <= 2
    spent = shares + kept * (after.reserves["shares"][0] - shares)
    assert abs(kept * shares * assets / spent**2 / worth(before) - 1) < Fraction(1, 10**8)
    # nothing more to earn: the fee keeps the pool where it is
    (row, *further) = [row for row in fallen.run.transactions if row.agent == "arbitrageur"]
    assert (row.status, row.block, further) == ("succeeded", bad_debt.block + 1, [])


def test_who_deposits_after_a_loss_does_not_stand_in_for_who_left_before_it(tmp_path):
    """In one block shares are redeemed, the market writes debt off, and as many are deposited for:
    those who stayed bear what the others did not, and VLT-7 says so."""
    runner = SELLER.replace("shares = 300_000", "shares = 8_000").replace(
        "base_gwei = 0", "base_gwei = 9"
    )
    runner = runner.replace("latency_blocks = 1\n", "")
    settings = (
        "population.alt-users.position=[{supplied={ALT=60_000}, borrowed={USDX=480_000}},"
        "{supplied={ALT=50_000}, borrowed={USDX=400_000}}]",
        "population.beta-users.position=[{supplied={vUSDX=100_000}, borrowed={USDX=40_000}}]",
        "agent.bot.max_transactions=1",
        "agent.bot.bid.base_gwei=5",
    )
    found = run(traded(tmp_path, *settings, more=runner + ARBITRAGEUR), SEED)
    second = [row.block for row in found.run.bad_debts if row.venue == "alt"][1]
    sent = [
        row for row in found.run.transactions if row.block == second and row.agent != "publisher"
    ]
    assert [(row.action, row.status) for row in sent[1:]] == [
        ("redeem", "succeeded"),
        ("liquidate", "succeeded"),
        ("arbitrage_shares", "succeeded"),
    ]
    before, after = (found.run.blocks[at].vaults["prime"] for at in (second - 1, second))
    assert abs(after.shares - before.shares) < 500 * UNIT
    balances(found)


def test_the_ledger_has_what_the_pools_provider_lost_to_the_arbitrageur(fallen):
    rows = balances(fallen)
    profit = [row.usd for row in rows if (row.venue, row.role) == ("shares", "arbitrageurs")]
    lost = [row.usd for row in rows if (row.venue, row.role) == ("shares", "pool liquidity")]
    before, after = 100_000 * UNIT, fallen.run.blocks[-1].reserves["shares"]
    paid = before - after[1]
    minted = after[0] - before
    deposited = -(-minted * 8716 // 10_000)  # a share is worth .8716
    assert sum(profit) // 10**12 == pytest.approx(paid - deposited, abs=2)
    # its shares are valued to a unit
    assert abs(sum(lost) + sum(profit)) < 10**12


def test_a_feed_on_the_market_hears_of_the_loss_with_the_pool_and_one_on_the_worth_at_once(
    fallen, tmp_path
):
    (bad_debt,) = [row for row in fallen.run.bad_debts if row.venue == "alt"]
    (market_fed,) = [row for row in fallen.run.liquidations if row.venue == "beta"]
    worth_fed = run(traded(tmp_path, more=ARBITRAGEUR), SEED)
    (at_once,) = [row for row in worth_fed.run.liquidations if row.venue == "beta"]
    assert at_once.block == bad_debt.block + 1
    assert market_fed.block == bad_debt.block + 2


def test_an_average_of_the_shares_price_leaves_other_feeds_young(tmp_path):
    """Set-up lets its window pass once the vault is there: ten of the other average's, and more
    than the reports may be old."""
    scenario = traded(
        tmp_path,
        "asset.vUSDX.feed={kind='pool-twap', pool='shares', window_s=1_200, granularity=4}",
        "asset.ALT.feed={kind='pool-twap', pool='alt-usdx', window_s=120, granularity=2}",
        "asset.ETH.feed={kind='push', heartbeat_s=300, max_age_s=600}",
        "expect=quiet",
        more=ARBITRAGEUR,
    )
    found = run(scenario, SEED)
    balances(found)
    assert "ORA-1" in found.summary["checks"]["invariants"]
    first = found.run.blocks[0]
    assert {first.feeds[name].price for name in ("vUSDX", "USDX")} == {10**18}
    # an answer of 8 decimals, rounded down
    assert 0 <= 10 * 10**18 - first.feeds["ALT"].price <= 10**10
    assert all(row.price_wad for row in first.venues["eth"].states)


def test_an_average_of_the_shares_price_lags_behind_the_pool_by_its_window(tmp_path):
    average = "asset.vUSDX.feed={kind='pool-twap', pool='shares', window_s=60, granularity=5}"
    found = run(traded(tmp_path, average, "clock.blocks=20", more=ARBITRAGEUR), SEED)
    balances(found)
    (row,) = [row for row in found.run.bad_debts if row.venue == "alt"]
    moved = row.block + 1  # by arbitrage; blocks are 12 s apart
    before, after = (float(quoted(found.run.blocks[at])) for at in (row.block, moved))
    for passed in range(1, 6):
        price = found.run.blocks[moved + passed].feeds["vUSDX"].price / 1e18
        # nobody trades while it is on its way: a part of the window for each block
        assert price == pytest.approx(before + (after - before) * passed / 5, abs=2e-8)


def test_every_link_that_is_not_there_is_cut_without_a_trace(fallen):
    linked, engine = set(links_of(fallen.scenario, fallen.world)), default_engine()
    try:
        stage = Stage(fallen.scenario, SEED, engine)
        assert stage.play(UNCUT).digest == fallen.run.digest
        for channel in CHANNELS:
            absent = {Link(venue, channel) for venue in fallen.world.venues} - linked
            cut = stage.play(Cuts(frozenset(absent), rounds=fallen.twin.rounds))
            assert cut.digest == fallen.run.digest, channel
    finally:
        engine.close()
    assert Link("beta", "price") in linked


def test_py_evm_gives_the_same_digest(fallen):
    engine = open_engine("py-evm")
    try:
        assert Stage(fallen.scenario, SEED, engine).play(UNCUT).digest == fallen.run.digest
    finally:
        engine.close()


# --- cash that runs out -----------------------------------------------------------------


def test_where_nothing_can_be_redeemed_a_discount_stays_and_an_arbitrageur_waits(tmp_path):
    """A depositor who runs sells down to 20% below worth; nobody can redeem what is bought."""
    run_for_cash = SELLER.replace("loss_bps = 1\n", "liquidity_bps = 5_000\n")
    settings = (*ILLIQUID, CALM, "expect=quiet")
    found = run(traded(tmp_path, *settings, more=run_for_cash + ARBITRAGEUR), SEED)
    balances(found)
    first, last = found.run.blocks[0], found.run.blocks[-1]
    assert first.vaults["prime"].liquidity == last.vaults["prime"].liquidity == 0
    assert worth(last) == 1
    shares, assets = first.reserves["shares"]
    kept = Fraction(PIPS - FEE, PIPS)
    # down to where a further share would bring four fifths after the fee
    sold = (isqrt(int(kept * shares * assets * 5 / 4)) - shares) / kept
    assert abs(last.reserves["shares"][0] - shares - sold) <= 2
    spent = shares + kept * (last.reserves["shares"][0] - shares)
    paid = assets - assets * shares / spent
    assert abs(assets - last.reserves["shares"][1] - paid) <= 1
    assert not [row for row in found.run.transactions if row.agent == "arbitrageur"]
    assert found.run.liquidations == []


def test_arbitrage_follows_a_discount_no_further_than_the_vault_has_cash(tmp_path):
    """1,000 are idle: so many shares are bought and redeemed, and the discount is what is left."""
    settings = (*ILLIQUID, CALM, "venue.prime.idle=1_000", "expect=quiet")
    early = SELLER.replace("loss_bps = 1\n", "liquidity_bps = 5_000\nmin_withdrawal = 5_000\n")
    found = run(traded(tmp_path, *settings, more=early + ARBITRAGEUR), SEED)
    balances(found)
    first, last = found.run.blocks[0], found.run.blocks[-1]
    bought = [row for row in found.run.transactions if row.agent == "arbitrageur"]
    assert {row.status for row in bought} == {"succeeded"}
    redeemed = first.vaults["prime"].shares - last.vaults["prime"].shares
    # a part in 10,000 is left for a worth that may grow before the block, each time
    assert 0.999 * 1_000 * UNIT <= redeemed <= 1_000 * UNIT
    assert last.vaults["prime"].liquidity == 1_000 * UNIT - redeemed
    assert quoted(last) < Fraction(82, 100)


def test_a_feed_on_the_market_liquidates_for_want_of_cash_where_a_feed_on_the_worth_does_not(
    tmp_path,
):
    """No market lost anything. Debts of the account are .85 of what its shares are worth."""
    run_for_cash = SELLER.replace("loss_bps = 1\n", "liquidity_bps = 5_000\n")
    settings = (*ILLIQUID, CALM)
    blind = run(traded(tmp_path, *settings, "expect=quiet", more=run_for_cash), SEED)
    found = run(traded(tmp_path, *settings, SPOT, more=run_for_cash), SEED)
    balances(blind)
    balances(found)
    assert not blind.run.bad_debts
    assert not blind.run.liquidations
    assert worth(found.run.blocks[-1]) == 1
    rows = found.run.liquidations
    assert rows
    for row in rows:
        (trade,) = [trade for trade in found.run.trades if trade.id == row.trade]
        assert (row.venue, row.account, trade.redeemed) == ("beta", 0, False)
        before = found.run.blocks[row.block - 1].reserves["shares"]
        kept = Fraction(trade.amount_in * (PIPS - FEE), PIPS)
        assert trade.amount_out == int(before[1] * kept / (before[0] + kept)) == row.proceeds
        assert found.run.blocks[row.block].reserves["shares"] == (
            before[0] + trade.amount_in,
            before[1] - trade.amount_out,
        )
        assert worth(found.run.blocks[row.block]) == 1 > quoted(found.run.blocks[row.block])
    assert not blind.summary["solvency"]["insolvency_usd"]


def test_who_may_hold_shares_buys_them_down_from_a_discount_and_redeems_once_there_is_cash(
    tmp_path,
):
    """Shares are bought up to 10% below worth; a borrower who repays lets them be redeemed."""
    run_for_cash = SELLER.replace("loss_bps = 1\n", "liquidity_bps = 5_000\n")
    holder = ARBITRAGEUR.replace("base_gwei = 0", "base_gwei = 9")
    holder += "holding_discount_bps = 1_000\n"
    # a small borrower of the vault's only market is liquidated and repays late in the run
    late = (
        *ILLIQUID[:2],
        "population.alt-users.position=[{supplied={ALT=100_000}, borrowed={USDX=560_000}},"
        "{supplied={ALT=5_000}, borrowed={USDX=40_000}}]",
        "asset.ALT.price.points=[[96, 0.92]]",
        "clock.blocks=18",
    )
    found = run(traded(tmp_path, *late, more=run_for_cash + holder), SEED)
    rows = balances(found)
    mine = [row for row in found.run.transactions if row.agent == "arbitrageur"]
    done = [(row.action, row.block) for row in mine if row.status == "succeeded"]
    (first, bought), *later = done
    redeemed = next(block for action, block in later if action == "redeem")
    before, after = (found.run.blocks[at] for at in (bought - 1, bought))
    assert first == "trade_shares"
    assert before.vaults["prime"].liquidity == 0
    assert found.run.blocks[redeemed - 1].vaults["prime"].liquidity > 0
    shares, assets = before.reserves["shares"]
    kept = Fraction(PIPS - FEE, PIPS)
    # until the next share would cost nine tenths, the fee included
    spent = (isqrt(int(kept * shares * assets * 9 / 10)) - assets) / kept
    assert abs(after.reserves["shares"][1] - assets - spent) <= 2
    got = shares - after.reserves["shares"][0]
    assert abs(got - shares * kept * spent / (assets + kept * spent)) <= 2
    assert sum(row.usd for row in rows if row.role == "arbitrageurs") > 0


def test_the_summary_says_how_far_the_price_was_below_and_what_that_hides(tmp_path):
    run_for_cash = SELLER.replace("loss_bps = 1\n", "liquidity_bps = 5_000\n")
    found = run(traded(tmp_path, *ILLIQUID, CALM, SPOT, more=run_for_cash), SEED)
    told, last = found.summary["vaults"]["prime"]["pool"], found.run.blocks[-1]
    assert told["name"] == "shares"
    assert told["price_usd"]["end"] == pytest.approx(float(quoted(last)), rel=1e-12)
    least = min(quoted(block) / worth(block) for block in found.run.blocks)
    assert told["discount_bps"]["most"] == int((1 - least) * 10_000)
    assert told["forced_sales"]["count"] == len(found.run.liquidations)
    # at what the pool quotes, which is also what this market reads
    assert told["shortfall_usd"]["beta"] == pytest.approx(
        last.venues["beta"].shortfall_oracle / 1e18, abs=0.01
    )
    assert told["shortfall_usd"]["beta"] > last.venues["beta"].shortfall_market == 0
    assert (
        run(traded(tmp_path), SEED).summary["vaults"]["prime"]["pool"]["discount_bps"]["most"] <= 0
    )


def test_liquidators_take_what_the_pool_pays_where_nothing_can_be_redeemed(tmp_path):
    """The run of `test_vaults` in which their transactions fail, with a pool of the shares."""
    first = SELLER.replace("base_gwei = 0", "base_gwei = 10").replace("latency_blocks = 1\n", "")
    without_sale = first.replace("sale_discount_bps = 2_000\n", "")
    settings = (*ILLIQUID, "venue.shares.base_reserve=90_000")
    found = run(traded(tmp_path, *settings, more=without_sale), SEED)
    balances(found)
    sold = [trade for trade in found.run.trades if trade.sold == "vUSDX" and not trade.redeemed]
    assert sold
    assert {row.venue for row in found.run.liquidations} == {"alt", "beta"}


def test_contagion_adds_up_where_shares_have_a_pool(fallen):
    found = contagion(fallen)
    assert Link("beta", "price") in found.links
    for venue in found.venues:
        entries = sum(found.entry(link, venue) for link in found.links)
        assert entries + found.interaction()[venue] == found.run[venue] - found.apart[venue]
    assert found.violations == ()


# --- refusals ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["venue.shares.quote=ETH"],
            r"venue\[5\]\.quote = .ETH.: what the vault of vUSDX lends",
        ),
        (
            ["venue.shares.base=USDX", "venue.shares.quote=vUSDX"],
            r"venue\[5\]\.quote = .vUSDX.: no share of a vault: shares are the base",
        ),
        (
            ["venue.shares.base_reserve=700_001"],
            r"venue\[3\]\.market = .deposits of 900000.: at least the 900001 vUSDX",
        ),
        (
            ["agent.arbitrageur.pool=alt-usdx"],
            r"agent\[2\]\.pool = .alt-usdx.: a pool whose base",
        ),
        (["agent.arbitrageur.cash=0"], r"agent\[2\]\.cash = 0\.?0?: "),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path, settings, message):
    with pytest.raises(ScenarioError, match=message):
        traded(tmp_path, *settings, more=ARBITRAGEUR)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            POOL.replace('"shares"', '"more"'),
            r"venue\[6\]\.base = .vUSDX.: a share that has no pool yet; it is traded in shares",
        ),
        (
            ARBITRAGEUR.replace("share-", "").replace("cash =", "capital_usd ="),
            r"pool = .shares.: a pool whose assets have external markets; vUSDX has none",
        ),
        (SELLER.replace("2_000", "10_000"), r"agent\[2\]\.sale_discount_bps = 10000: "),
    ],
)
def test_tables_that_cannot_be_are_refused_by_name(tmp_path, more, message):
    with pytest.raises(ScenarioError, match=message):
        traded(tmp_path, more=more)


def test_a_depositor_cannot_sell_where_there_is_no_pool(tmp_path):
    file = tmp_path / "vault.toml"
    file.write_text(FILE.read_text() + SELLER)
    with pytest.raises(ScenarioError, match=r"sale_discount_bps = 2000: 0: no pool trades vUSDX"):
        load_scenario(str(file))
