"""A vault's losses reach whoever takes its shares: by their price, and by what can be redeemed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.curves import Hop
from harness.cuts import CHANNELS, UNCUT, Cuts, Link
from harness.engine import default_engine, open_engine
from harness.errors import ScenarioError
from harness.experiments.contagion import contagion
from harness.links import links_of
from harness.metrics.losses import SHAREHOLDERS, loss_by_role, losses
from harness.metrics.tree import cascade_edges
from harness.run import Stage, run
from harness.scenario import load_scenario
from harness.setup import Setup

SEED = 5
UNIT = 10**6
FILE = Path(__file__).parent / "vault.toml"

#: What the vault has, and what of it is in the market whose collateral falls; and all supply there.
DEPOSITS, LENT, SUPPLY = 900_000 * UNIT, 600_000 * UNIT, 1_000_000 * UNIT

CALM = "asset.ALT.price.points=[[36, 1.0]]"
RUNNER = (
    '[[agent]]\nkind = "vault-depositor"\nname = "runner"\nvault = "prime"\nshares = 500_000\n'
    "loss_bps = 1\nbid = {base_gwei = 0}\n"
)


def vaulted(tmp_path, *settings, more=""):
    """The scenario beside this file, changed and with further tables."""
    file = tmp_path / "vault.toml"
    file.write_text(FILE.read_text() + more)
    return load_scenario(str(file), settings)


@pytest.fixture(scope="module")
def fallen(tmp_path_factory):
    """ALT falls by half at once: its borrower leaves bad debt, and nobody could prevent it."""
    return run(vaulted(tmp_path_factory.mktemp("fallen")), SEED)


def test_bad_debt_is_off_the_worth_of_a_share_at_once_in_proportion_to_what_the_vault_lent(fallen):
    (bad_debt,) = [row for row in fallen.run.bad_debts if row.venue == "alt"]
    before, after = DEPOSITS, DEPOSITS - bad_debt.amount * LENT // SUPPLY
    price = fallen.run.blocks[-1].external["vUSDX"]
    # the market's virtual shares and two roundings down take at most 3 units of 900,000 tokens
    assert abs(price - after * 10**8 // before) <= 1
    rate = [block.feeds["vUSDX.rate"].price for block in fallen.run.blocks]
    assert abs(rate[bad_debt.block] - after * 10**18 // before) <= 3 * 10**18 // DEPOSITS
    assert abs(rate[bad_debt.block - 1] - 10**18) <= 3 * 10**18 // DEPOSITS
    assert fallen.run.blocks[bad_debt.block].feeds["vUSDX"].price == rate[bad_debt.block]


def test_the_summary_has_the_vaults_books_in_usd(fallen):
    """The asset is at 1 USD throughout."""
    told = fallen.summary["vaults"]["prime"]
    first, last = (fallen.run.blocks[at].vaults["prime"] for at in (0, -1))
    assert first.assets == pytest.approx(DEPOSITS, abs=3)
    assert last.assets < first.assets
    redeemed = [trade for trade in fallen.run.trades if trade.sold == "vUSDX"]
    assert redeemed
    assert told["deposits_usd"] == first.assets / UNIT
    assert told["assets_usd"] == last.assets / UNIT
    assert told["liquidity_usd"] == last.liquidity / UNIT
    assert told["lost_usd"] == {"alt": last.lost[0] / UNIT, "eth": 0}
    assert last.lost[0] > 0
    assert told["forced_redemptions"] == {
        "count": len(redeemed),
        "usd": sum(trade.amount_out for trade in redeemed) / UNIT,
    }
    lost = sum(row["loss_usd"] for row in told["rows"])
    # 200,000 of 900,000 are collateral in a market; of each holder and of all, rounded down
    direct = last.lost[0] * 7 / 9 / UNIT
    assert lost == pytest.approx(direct, abs=2 * (1 + len(told["rows"])) / UNIT)


def test_an_account_that_has_shares_as_collateral_is_liquidated_and_its_shares_are_redeemed(fallen):
    (row,) = [row for row in fallen.run.liquidations if row.venue == "beta"]
    (trade,) = [trade for trade in fallen.run.trades if trade.id == row.trade]
    assert (row.account, row.collateral, trade.sold, trade.bought) == (0, "vUSDX", "vUSDX", "USDX")
    assert trade.amount_in == row.seized == 100_000 * UNIT
    assert trade.amount_out == row.proceeds
    rate = fallen.run.blocks[row.block - 1].feeds["vUSDX.rate"].price
    assert abs(trade.amount_out - row.seized * rate // 10**18) <= 1
    left = [venue.states[1].deficit for venue in [fallen.run.blocks[-1].venues["beta"]]]
    assert left == [85_000 * UNIT - row.repaid]


def test_the_deficit_of_one_market_is_what_the_claims_link_carried_to_the_other(fallen):
    found = contagion(fallen)
    assert {link for link in found.links if link.channel == "claims"} == {
        Link("alt", "claims"),
        Link("eth", "claims"),
    }
    assert found.entry(Link("alt", "claims"), "beta") == found.run["beta"] > 0
    assert found.entry(Link("alt", "claims"), "alt") == 0
    assert all(found.entry(Link("eth", "claims"), venue) == 0 for venue in found.venues)
    for venue in found.venues:
        entries = sum(found.entry(link, venue) for link in found.links)
        assert entries + found.interaction()[venue] == found.run[venue] - found.apart[venue]
    assert found.violations == ()


def test_without_the_link_a_share_is_worth_what_it_was(tmp_path):
    scenario, engine = vaulted(tmp_path), default_engine()
    try:
        stage = Stage(scenario, SEED, engine)
        trace = stage.play(Cuts(frozenset({Link("alt", "claims")})))
    finally:
        engine.close()
    assert trace.blocks[-1].venues["alt"].bad_debt > 0
    assert {block.external["vUSDX"] for block in trace.blocks} <= {10**8 - 1, 10**8}
    assert not [row for row in trace.liquidations if row.venue == "beta"]
    assert trace.violations == []


def test_interest_that_is_lost_is_made_good_too(tmp_path):
    """After ten days at 500% a year the whole market is written off: more than was deposited."""
    scenario = vaulted(
        tmp_path,
        "clock.seconds_per_block=86400",
        "clock.blocks=14",
        "venue.alt.base_rate=5.0",
        "venue.alt.supplied=0",
        "asset.ALT.price.points=[[864000, 0.0001]]",
        "venue.prime.market=[{venue='alt', supplied=600_000}]",
        "population.alt-users.position=[{supplied={ALT=90_000}, borrowed={USDX=595_000}}]",
        "population.beta-users.position=[{supplied={vUSDX=100_000}, borrowed={USDX=85_000}}]",
    )
    engine = default_engine()
    try:
        trace = Stage(scenario, SEED, engine).play(Cuts(frozenset({Link("alt", "claims")})))
    finally:
        engine.close()
    assert sum(row.amount for row in trace.bad_debts if row.venue == "alt") > 600_000 * UNIT
    worth = [block.external["vUSDX"] for block in trace.blocks]
    assert worth == sorted(worth)
    assert worth[-1] > 110_000_000
    assert trace.violations == []


@pytest.mark.parametrize("link", [Link("alt", "claims"), Link("beta", "claims")])
def test_a_link_that_carries_nothing_is_cut_without_a_trace(tmp_path, link):
    scenario, engine = vaulted(tmp_path, CALM, "expect=quiet"), default_engine()
    try:
        stage = Stage(scenario, SEED, engine)
        assert stage.play(UNCUT).digest == stage.play(Cuts(frozenset({link}))).digest
    finally:
        engine.close()


def test_every_link_that_is_not_there_is_cut_without_a_trace(fallen):
    """While shares are redeemed, and the market that has them sells nothing in a pool."""
    linked, engine = set(links_of(fallen.scenario, fallen.world)), default_engine()
    absent = {Link(venue, ch) for venue in fallen.world.venues for ch in CHANNELS} - linked
    try:
        stage = Stage(fallen.scenario, SEED, engine)
        for channel in CHANNELS:
            links = frozenset(link for link in absent if link.channel == channel)
            cut = stage.play(Cuts(links, rounds=fallen.twin.rounds))
            assert cut.digest == fallen.run.digest, channel
    finally:
        engine.close()
    assert Link("beta", "price") in linked
    assert len(absent) > len(CHANNELS)


def test_the_ledger_says_what_shareholders_lost_and_adds_up(fallen):
    rows = losses(fallen)
    for asset in fallen.world.tokens:
        of = [row for row in rows if row.asset == asset]
        assert sum(row.amount for row in of) == 0
        assert sum(row.usd for row in of) == 0
    (bad_debt,) = [row for row in fallen.run.bad_debts if row.venue == "alt"]
    lost = -loss_by_role(rows)["prime", SHAREHOLDERS]
    # in WAD of USD at a price of 1; 3 units are what roundings take, 1e-8 what the price's does
    assert abs(lost - bad_debt.amount * LENT // SUPPLY * 10**12) <= 3 * 10**12 + DEPOSITS * 10**4


def test_a_liquidation_by_a_loss_that_sales_caused_is_of_the_wave_after_them(tmp_path):
    """Sales of seized collateral take the pool's price, which the market reads, so low that a
    borrower leaves bad debt, in the run only; a share falls by .4% and one account with it."""
    scenario = vaulted(
        tmp_path,
        'asset.ALT.feed={kind="pool-spot", pool="alt-usdx"}',
        CALM,
        "venue.alt-usdx.base_reserve=100_000",
        "venue.alt.lltv_bps=6250",
        "venue.alt.slope1=0.5",
        "population.alt-users.position=[{supplied={ALT=40_000}, borrowed={USDX=249_999.99}},"
        "{supplied={ALT=15_000}, borrowed={USDX=80_000}}]",
        "population.beta-users.position=[{supplied={vUSDX=100_000}, borrowed={USDX=89_900}},"
        "{supplied={vUSDX=100_000}, borrowed={USDX=89_000}}]",
    )
    found = run(scenario, SEED)
    (loss,) = [row for row in found.run.bad_debts if row.venue == "alt"]
    (cause,) = [
        row
        for row in found.run.liquidations
        if (row.block, row.venue, row.account) == (loss.block, "alt", loss.account)
    ]
    (row,) = [row for row in found.run.liquidations if row.venue == "beta"]
    assert (row.account, row.wave, row.cause) == (0, 1 + cause.wave, "price")
    assert row.parent == cause.trade
    assert not [other for other in found.twin.liquidations if other.venue == "beta"]
    edges = cascade_edges(found.run, found.world.vault_markets)
    number = 1 + found.run.liquidations.index(row)
    (to,) = [e for e in edges if e.kind == "oracle-liquidation" and e.target == f"L{number}"]
    (lost,) = [e for e in edges if e.kind == "liquidation-oracle" and e.target == to.source]
    assert lost.source == f"L{1 + found.run.liquidations.index(cause)}"
    assert (lost.asset, lost.amount) == ("USDX", loss.amount)
    assert lost.after < lost.before
    # had the account been liquidated in part before, in the same block, that wrote nothing off
    found.run.liquidations.insert(number - 2, replace(cause))
    edges = cascade_edges(found.run, found.world.vault_markets)
    assert len([edge for edge in edges if edge.kind == "liquidation-oracle"]) == 1


# --- who leaves -------------------------------------------------------------------------


def test_depositors_who_run_take_the_cash_of_the_healthy_market_and_shares_stay_behind(tmp_path):
    found = run(vaulted(tmp_path, more=RUNNER), SEED)
    rows = [row for row in found.run.transactions if row.agent == "runner"]
    (bad_debt,) = [row for row in found.run.bad_debts if row.venue == "alt"]
    assert {row.status for row in rows} == {"succeeded"}
    assert min(row.block for row in rows) == bad_debt.block + 1
    healthy = found.run.blocks[-1].venues["eth"].states[1]
    assert healthy.cash < 300_000 * UNIT
    redeemed = [row for row in losses(found) if (row.venue, row.role) == ("prime", "depositors")]
    assert {row.asset for row in redeemed} == {"USDX", "vUSDX"}
    for asset in found.world.tokens:
        assert sum(row.amount for row in losses(found) if row.asset == asset) == 0


def test_shares_that_cannot_be_redeemed_cannot_be_liquidated_unless_the_link_is_cut(tmp_path):
    """A depositor is first at the only market's cash."""
    first = RUNNER.replace("base_gwei = 0", "base_gwei = 10")
    scenario = vaulted(
        tmp_path,
        "venue.prime.market=[{venue='alt', supplied=600_000}]",
        "venue.alt.supplied=0",
        "population.alt-users.position=[{supplied={ALT=52_000}, borrowed={USDX=440_000}},"
        "{supplied={ALT=40_000}, borrowed={USDX=160_000}}]",
        more=first.replace("500_000", "400_000"),
    )
    found = run(scenario, SEED)
    sent = [row for row in found.run.transactions if row.action == "liquidate_shares"]
    assert [row.status for row in sent] == ["reverted"]
    assert "InsufficientLiquidity" in sent[0].reason
    end = found.run.blocks[-1]
    assert end.venues["alt"].states[1].cash <= 1  # what shares were rounded down by
    worth = 100_000 * UNIT * end.external["vUSDX"] // 10**8
    assert end.venues["beta"].shortfall_market == (85_000 * UNIT - worth) * 10**12 > 0
    assert (
        contagion(found).entry(Link("alt", "claims"), "beta") == end.venues["beta"].shortfall_market
    )


def test_a_curator_who_sees_it_coming_has_the_cash_out_before_the_loss(tmp_path):
    """The market's feed is late by two blocks; what a curator can take out, others lose."""
    curator = '[[agent]]\nkind = "curator"\nname = "curator"\nvault = "prime"\nloss_bps = 1\n'
    curator += "reallocates = true\nbid = {base_gwei = 0}\n"
    slow = ("agent.bot.latency_blocks=3",)
    with_curator = run(vaulted(tmp_path, *slow, more=curator), SEED)
    without = run(vaulted(tmp_path, *slow), SEED)
    moves = [row for row in with_curator.run.transactions if row.agent == "curator"]
    assert [row.action for row in moves if row.status == "succeeded"][:2] == [
        "deallocate",
        "allocate",
    ]
    prices = [found.run.blocks[-1].external["vUSDX"] for found in (with_curator, without)]
    assert prices[0] > prices[1]


# --- engines, reads and refusals --------------------------------------------------------


def test_py_evm_gives_the_same_digest(fallen, tmp_path):
    engine = open_engine("py-evm")
    try:
        assert Stage(vaulted(tmp_path), SEED, engine).play(UNCUT).digest == fallen.run.digest
    finally:
        engine.close()


def test_a_redemption_followed_by_a_sale_is_one_curve():
    """Shares at 4/5 of an asset into a pool of 1,000 and 2,000: the composition, to the unit."""
    pool = Hop(1_000 * UNIT, 2_000 * UNIT, 3_000)
    scaled = pool._replace(reserve_in=-(-pool.reserve_in * 5 // 4))
    for shares in (1, 1_000, 77 * UNIT, 5_000 * UNIT):
        assert abs(scaled.amount_out(shares) - pool.amount_out(shares * 4 // 5)) <= 2


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "venue.prime.asset=ALT; asset.vUSDX.decimals=18",
            r"venue\[3\]\.market\[0\]\.venue = .alt.: a market that lends ALT",
        ),
        (
            "venue.prime.market=[{venue='eth', supplied=0.0000001}]",
            r"venue\[3\]\.market = .deposits of 1e-07.: some, supplied to a market or idle",
        ),
        ("block_space.fee_asset=vUSDX", r"block_space\.fee_asset = .vUSDX.: no share of a vault"),
        (
            "venue.beta.liquidation={kind='stability-pool', collateral='ETH', debt='vUSDX'}",
            r"venue\[4\]\.liquidation\.debt = .vUSDX.: no share of a vault: nobody can owe it",
        ),
        ("venue.prime.share=ETH", r"venue\[3\]\.share = .ETH.: the symbol of an asset"),
        ("venue.prime.market=[]", r"venue\[3\]\.market = 0: at least one"),
        ("venue.prime.market[0].venue=beta", r"market\[0\]\.venue = .beta.: once a lending venue"),
        ("asset.vUSDX.decimals=8", r"share = .vUSDX.: an asset of 6 decimals"),
        ("asset.vUSDX.start_price_usd=1", r"asset\[3\]\.start_price_usd = 1\.0: nothing"),
        ("asset.ALT.price={process='share-price'}", r"asset\[1\]\.price\.process"),
        (
            "population.beta-users.position=[{supplied={vUSDX=900_001}, borrowed={USDX=1}}]",
            r"venue\[3\]\.market = .deposits of 900000.: at least the 900001 vUSDX",
        ),
        (
            "population.beta-users.position=[{supplied={USDX=9}, borrowed={vUSDX=1}}]",
            r"borrowed\.vUSDX = .vUSDX.: no share",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path, setting, message):
    with pytest.raises(ScenarioError, match=message):
        vaulted(tmp_path, *setting.split("; "))


PERP = """[[venue]]
kind = "perp-exchange"
name = "perp"
settlement = "{}"
vault = 100
[[venue.market]]
symbol = "{}"
skew_scale = 1_000
[[venue.market.tier]]
initial_bps = 1000
call_bps = 700
maintenance_bps = 500
"""
CURATOR = '[[agent]]\nkind = "curator"\nname = "{}"\nvault = "{}"\nloss_bps = 1\n'


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (CURATOR.format("one", "nobody"), r"agent\[2\]\.vault = .nobody.: a vault: prime"),
        (
            CURATOR.format("one", "prime") + CURATOR.format("two", "prime"),
            r"agent\[3\]\.vault = .prime.: one curator of a vault",
        ),
        (RUNNER.replace('"runner"', '"prime-curator"'), r"agent\[2\]\.name = .prime-curator."),
        (RUNNER.replace('"runner"', '"prime-depositors"'), r"agent\[2\]\.name = .prime-depos"),
        (PERP.format("vUSDX", "ALT"), r"venue\[5\]\.settlement = .vUSDX.: no share of a vault"),
        (PERP.format("USDX", "vUSDX"), r"venue\[5\]\.market\[0\]\.symbol = .vUSDX.: no share"),
        (RUNNER.replace("loss_bps = 1", ""), r"agent\[2\]\.loss_bps = 0: above 0, or liquidity"),
    ],
)
def test_agents_who_cannot_have_to_do_with_a_vault_are_refused_by_name(tmp_path, more, message):
    with pytest.raises(ScenarioError, match=message):
        vaulted(tmp_path, more=more)


def test_a_vault_behind_the_market_that_lists_its_shares_is_refused(tmp_path):
    text = FILE.read_text()
    vault = text[text.index('[[venue]]\nkind = "vault"') : text.index('[[venue]]\nkind = "pooled')]
    moved = text.replace(vault, "").replace("[[population]]", vault + "[[population]]", 1)
    file = tmp_path / "moved.toml"
    file.write_text(moved)
    with pytest.raises(ScenarioError, match=r"name = .beta.: a venue below the vault of vUSDX"):
        load_scenario(str(file))


def test_interest_that_hides_a_part_of_a_loss_is_no_violation(tmp_path):
    """The vault notes a loss net of what a strategy has earned since it was last touched."""
    rates = ("venue.alt.slope1=0.5", "clock.seconds_per_block=600")
    late = "asset.ALT.price.points=[[1800, 0.5]]"
    found = run(vaulted(tmp_path, *rates, late), SEED)
    (bad_debt,) = [row for row in found.run.bad_debts if row.venue == "alt"]
    state = found.run.blocks[bad_debt.block].vaults["prime"]
    before = found.run.blocks[bad_debt.block - 1].vaults["prime"]
    assert before.worth[0] > before.noted[0]
    assert before.assets - state.assets > state.lost[0] - before.lost[0] > 0
    assert found.summary["checks"]["invariants"]["VLT-7"]


@pytest.mark.parametrize(
    ("identifier", "mutant"),
    [("VLT-5", "CuratedKeepsAllocated"), ("VLT-7", "CuratedForgetsLoss")],
)
def test_a_run_finds_a_vault_with_a_planted_bug(tmp_path, monkeypatch, identifier, mutant):
    kept = Setup.deploy

    def planted(self, name, *args, **named):
        return kept(self, mutant if name == "CuratedVault" else name, *args, **named)

    monkeypatch.setattr(Setup, "deploy", planted)
    found = run(vaulted(tmp_path), SEED)
    assert found.summary["checks"]["invariants"][identifier] is False


POOLED = """kind = "pooled-lending"
name = "alt"
[[venue.asset]]
symbol = "ALT"
ltv_bps = 8500
liquidation_threshold_bps = 8600
liquidation_bonus_bps = 500
[[venue.asset]]
symbol = "USDX"
slope1 = 0.0
slope2 = 0.0
"""


def test_a_pooled_markets_deficit_lowers_no_claim_but_there_is_no_cash_for_all(tmp_path):
    """As in Aave: claims stay whole, and whoever redeems last waits."""
    text = FILE.read_text()
    isolated = text[text.index('kind = "isolated-lending"\nname = "alt"') :]
    isolated = isolated[: isolated.index("[[venue]]")]
    file = tmp_path / "pooled.toml"
    runner = RUNNER.replace("loss_bps = 1\n", "liquidity_bps = 10_000\n").replace(
        "500_000", "500_000"
    )
    file.write_text(text.replace(isolated, POOLED) + runner)
    found = run(load_scenario(str(file), ["venue.prime.market[1].supplied=100_000"]), SEED)
    assert sum(row.amount for row in found.run.bad_debts if row.venue == "alt") > 0
    assert {block.external["vUSDX"] for block in found.run.blocks} <= {10**8 - 1, 10**8}
    last = found.run.blocks[-1]
    alt = last.venues["alt"].states[1]
    assert alt.deficit > 0
    # the runner was first; of what is left of the vault's claims the deficit cannot be paid
    vault = last.vaults["prime"]
    assert vault.worth[0] == alt.total_claims == alt.cash + alt.deficit - alt.reserves
    assert vault.liquidity == alt.cash + vault.worth[1] < vault.assets
    assert found.summary["checks"]["invariants"]["VLT-5"]
    for asset in found.world.tokens:
        assert sum(row.amount for row in losses(found) if row.asset == asset) == 0
