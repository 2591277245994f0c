"""Cross margin inside one lending account, cut: each debt stands on one collateral.

Accounts hold ETH, which falls, and XYZ, which does not (both 1,000 USD at first), and owe USDX and
DAIX (1,000 USD). Thresholds are such that both collaterals of an account count for the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.cross_margin import stand_alone
from harness.cuts import UNCUT, Cuts, Link
from harness.engine import default_engine
from harness.engine.base import Block
from harness.experiments.contagion import contagion, insolvency
from harness.links import links_of
from harness.metrics.interconnection import predictions
from harness.metrics.losses import losses
from harness.run import Stage, run, set_up
from harness.scenario import (
    LendingAsset,
    LeverageDistribution,
    Liquidator,
    PerpExchange,
    PerpLiquidator,
    PerpMarket,
    Pool,
    PooledLending,
    PositionRow,
    Positions,
    Response,
    Scenario,
    Traders,
    checked,
    load_scenario,
)
from harness.trace import Trace

SEED = 2
WAD = 10**18
LINK = Link("bank", "cross-margin")
CUT = Cuts(frozenset({LINK}))
FREE = {"base_rate": 0.0, "slope1": 0.0, "slope2": 0.0}
WHOLE = ((("ETH", 100.0), ("XYZ", 160.0)), (("USDX", 96_000.0), ("DAIX", 32.0)))
"""80,000 USD of either collateral count, 128,000 are owed: a health factor of 1.25."""
PAIRS = (
    ((("ETH", 75.0),), (("USDX", 48_000.0),)),
    ((("ETH", 25.0),), (("DAIX", 16.0),)),
    ((("XYZ", 120.0),), (("USDX", 48_000.0),)),
    ((("XYZ", 40.0),), (("DAIX", 16.0),)),
)
"""The same divided by hand: a debt in halves, a collateral as 3 to 1."""

Row = tuple[tuple[tuple[str, float], ...], tuple[tuple[str, float], ...]]


def bank(several: SimpleNamespace, rates: dict[str, float] | None = None) -> PooledLending:
    rate = FREE if rates is None else rates

    def collateral(symbol: str, threshold: int) -> LendingAsset:
        terms = {"ltv_bps": threshold, "liquidation_threshold_bps": threshold}
        return LendingAsset(symbol, liquidation_bonus_bps=1000, **terms, **rate)

    return dataclasses.replace(
        several.market("bank"),
        assets=(
            collateral("ETH", 8000),
            collateral("XYZ", 5000),
            LendingAsset("USDX", supplied=1e7, **rate),
            LendingAsset("DAIX", supplied=1e4, **rate),
        ),
    )


def scenario(
    several: SimpleNamespace,
    rows: Sequence[Row],
    falls: Sequence[float],
    response: Response | None = None,
    rates: dict[str, float] | None = None,
    **changes: Any,
) -> Scenario:
    table = tuple(PositionRow(*row) for row in rows)
    holders = Positions("holders", "bank", table, response=response or Response())
    capital = (("USDX", 1e8), ("DAIX", 1e5))
    liquidator = Liquidator("taker", "bank", capital, max_transactions=1000, bid=several.FREE)
    pairs = [(sold, bought) for sold in ("ETH", "XYZ") for bought in ("USDX", "DAIX")]
    given = {
        "blocks": len(falls) + 6,
        "agents": [dataclasses.replace(liquidator, fee_deposit=1e3)],
        "expect": "quiet",
        **changes,
    }
    return several.scenario(
        others=("XYZ", "DAIX"),
        quiet=("XYZ", "DAIX"),
        falls=falls,
        pools=[Pool(f"{s}-{b}".lower(), s, b, 1e6, 0) for s, b in pairs],
        markets=[bank(several, rates)],
        populations=[holders],
        **given,
    )


def played(made: Scenario, *cuts: Cuts) -> list[Trace]:
    engine = default_engine()
    try:
        stage = Stage(made, SEED, engine)
        return [stage.play(each) for each in cuts]
    finally:
        engine.close()


def channels(made: Scenario) -> set[str]:
    return {link.channel for link in links_of(made, set_up(made, SEED)[1])}


SLOWLY = tuple(1 - 0.01 * (i + 1) for i in range(50))
STEPWISE = tuple(1 - 0.02 * (i // 4 + 1) for i in range(100))
"""With time to sell collateral before the next fall, which would leave the account unhealthy."""


def test_the_link_is_where_several_collaterals_or_debts_share_a_margin(several):
    assert "cross-margin" in channels(scenario(several, [WHOLE], SLOWLY))
    assert "cross-margin" not in channels(scenario(several, PAIRS, SLOWLY))
    held, owed = WHOLE
    assert "cross-margin" in channels(scenario(several, [(held, owed[:1])], SLOWLY))
    assert "cross-margin" in channels(
        scenario(several, [(held[:1], ((owed[0][0], 1.0), owed[1]))], SLOWLY)
    )


def test_what_positions_foretell_of_sales_is_no_more_than_debt_and_bonus(several):
    """128,000 USD are owed, and with ETH at half its price 50,000 and 160,000 held: 140,800 are
    sold, of both in proportion, into pools of which 1e9 USD move either price by all of it."""
    found = predictions(run(scenario(several, [WHOLE], SLOWLY), SEED))
    sold = 128_000 * 1.1
    eth, xyz = (sold * worth / 210_000 for worth in (50_000, 160_000))
    foretold = (100_000 * eth + 160_000 * xyz) / 1e9
    assert found["indirect"].matrix["bank"]["bank"] == pytest.approx(foretold, rel=1e-6)


def test_cutting_it_where_there_is_none_leaves_the_digest(several):
    plain, without = played(scenario(several, PAIRS, SLOWLY), UNCUT, CUT)
    assert plain.liquidations
    assert without.digest == plain.digest


@pytest.mark.parametrize(
    ("action", "outcomes"),
    [("nothing", {"ignored"}), ("top_up", {"met"}), ("deleverage", {"reduced"})],
)
def test_the_run_without_the_link_is_the_run_of_pairs_from_the_start(several, action, outcomes):
    """Calls, liquidations, sales, books and bad debt after each block are the same integers."""
    response = None
    if action != "nothing":
        response = Response(**{f"{action}_bps": 10_000}, cash_bps=1000, bid=several.FREE)
    rows = [WHOLE, *(_times(WHOLE, factor) for factor in (2, 4))]
    pairs = [_times(pair, factor) for factor in (1, 2, 4) for pair in PAIRS]
    falls = STEPWISE if action == "deleverage" else SLOWLY
    whole, without = played(scenario(several, rows, falls, response), UNCUT, CUT)
    [expected] = played(scenario(several, pairs, falls, response), UNCUT)
    assert without.trades
    assert without.trades != whole.trades
    assert without.liquidations == expected.liquidations
    assert {call.outcome for call in without.calls["bank"]} >= outcomes
    assert without.calls == expected.calls
    assert without.bad_debts == expected.bad_debts
    assert without.trades == expected.trades
    for one, other in zip(without.blocks, expected.blocks, strict=True):
        assert one.venues == other.venues
    assert without.closing == expected.closing
    assert not [*whole.violations, *without.violations]


def _times(row: Row, factor: int) -> Row:
    held, owed = (tuple((symbol, factor * amount) for symbol, amount in part) for part in row)
    return held, owed


def test_cut_and_uncut_liquidate_where_their_health_factors_say(several):
    """Counting 80,000 (1 - x) + 80,000 against 128,000 the account falls below 1 past x = 40%, and
    what is taken first is XYZ, which is worth more by then; alone, the pairs of ETH fall below 1
    past 1 - 1 / 1.25 = 20%, and those of XYZ never."""
    shared, alone = played(scenario(several, [WHOLE], SLOWLY), UNCUT, CUT)

    def fall(trace: Trace, row: Any) -> float:
        return 1 - trace.blocks[row.unhealthy_since].feeds["ETH"].price / (1000 * WAD)

    first = shared.liquidations[0]
    assert fall(shared, first) == pytest.approx(0.41)
    assert first.collateral == "XYZ"
    assert {row.collateral for row in alone.liquidations} == {"ETH"}
    assert {round(fall(alone, row), 6) for row in alone.liquidations} == {0.21}


def test_what_one_margin_spares_the_market_is_the_loss_of_the_pairs(several):
    """ETH loses 60% at once. XYZ covers the account's debt; alone, the pairs of ETH leave
    D - C / (1 + b) = 64,000 - 40,000 / 1.1, whatever the close factor."""
    result = run(scenario(several, [WHOLE], (0.4,)), SEED)
    found = contagion(result)
    assert found.run["bank"] == 0
    lost = 64_000 * WAD - 40_000 * WAD * 10 // 11
    assert -found.entry(LINK, "bank") == pytest.approx(lost, abs=2 * WAD // 10**6)
    entries = sum(found.entry(link, "bank") for link in found.links)
    assert entries + found.interaction()["bank"] == found.run["bank"] - found.apart["bank"]


def test_a_market_and_an_exchange_are_parted_in_one_block(several):
    """The run without any link has both apart; what is read of one is not disturbed by the other,
    so that each is as when it is the only one. Entries add up."""
    made = scenario(several, [WHOLE], (0.9, 0.8, 0.7, 0.6, 0.5))
    markets = tuple(PerpMarket(symbol, skew_scale=1e6) for symbol in ("ETH", "XYZ"))
    longs = Traders(
        "longs",
        "perps",
        count=5,
        markets=(("ETH", 1.0), ("XYZ", 1.0)),
        markets_each=2,
        margin_usd=1e6,
        leverage=LeverageDistribution(4.0, 0.0),
        long_bps=10_000,
    )
    both = checked(
        dataclasses.replace(
            made,
            venues=(*made.venues, PerpExchange("perps", "USDX", markets, vault=1e7)),
            populations=(*made.populations, longs),
            agents=(*made.agents, PerpLiquidator("closer", "perps", bid=several.FREE)),
        )
    )
    links = [LINK, Link("perps", "cross-margin")]
    found = contagion(run(both, SEED))
    assert set(links) <= set(found.links)
    cuts = [links[:1], links[1:], links]
    bank, perps, together = played(both, *(Cuts(frozenset(cut)) for cut in cuts))
    assert insolvency(bank)["bank"] == insolvency(together)["bank"] != found.run["bank"]
    assert insolvency(perps)["perps"] == insolvency(together)["perps"] != found.run["perps"]
    assert not [*bank.violations, *perps.violations, *together.violations]
    for j in found.venues:
        entries = sum(found.entry(link, j) for link in found.links)
        assert entries + found.interaction()[j] == found.run[j] - found.apart[j]


def test_pairs_have_the_health_of_the_account_and_everything_it_had(several):
    """With interest, accounts of all sizes, cash, fees and answers; books and ledger balance."""
    rates = {"base_rate": 0.02, "slope1": 0.05, "slope2": 1.0}
    rows = [_odd(factor) for factor in (0.001, 0.02, 0.1, 0.37, 1.0, 1.4, 2.9, 3.3)]
    answers = Response(top_up_bps=4000, deleverage_bps=4000, cash_bps=700)
    made = scenario(several, rows, STEPWISE, answers, rates)
    engine = default_engine()
    try:
        stage = Stage(made, SEED, engine)
        block = Block(len(stage.setup) + 1, made.clock.start)
        world = stand_alone(engine, stage.world, made, ["bank"], block).world
        plain, without = stage.play(UNCUT), stage.play(CUT)
    finally:
        engine.close()
    assert not without.violations
    whole, parts = plain.opening["bank"], without.opening["bank"]
    assert len(parts.health) == len(PAIRS) * len(whole.health)
    for number, health in enumerate(whole.health):
        pairs = range(4 * number, 4 * number + 4)
        for pair in pairs:
            # a micro-USDX more debt or a wei less collateral, on 12 USD at the least
            assert parts.health[pair] == pytest.approx(health, rel=1e-6)
        for place, word in enumerate(whole.words(number)):
            words = [parts.words(pair)[place] for pair in pairs]
            claims, debts = sum(w >> 128 for w in words), sum(w & (2**128 - 1) for w in words)
            assert 0 <= (word >> 128) - claims <= 8
            assert 0 <= debts - (word & (2**128 - 1)) <= 8
    answered = {row.action for row in without.transactions if row.status == "succeeded"}
    assert {"top_up", "deleverage", "liquidate"} <= answered
    rows_of = losses(SimpleNamespace(scenario=made, world=world, run=without))
    for asset in world.tokens:
        assert sum(row.amount for row in rows_of if row.asset == asset) == 0
    assert "others" not in {row.role for row in rows_of}
    assert insolvency(without).keys() == {"bank"}


def test_holders_who_move_collateral_between_markets_stay_whole(several):
    mover = Positions(
        "mover",
        "bank",
        (PositionRow(*WHOLE),),
        response=Response(move_bps=10_000),
        holders="founder",
    )
    made = scenario(several, [WHOLE], SLOWLY)
    elsewhere = several.positions("other", [(500.0, 1000.0)], holders="founder")
    moved = dataclasses.replace(
        made,
        venues=(*made.venues, several.market("other")),
        populations=(mover, elsewhere),
    )
    assert "holder" in channels(moved)
    assert "cross-margin" not in channels(moved)
    both = dataclasses.replace(moved, populations=(mover, elsewhere, *made.populations))
    assert "cross-margin" in channels(both)


def test_shares_of_a_vault_are_parted_from_other_collateral(tmp_path):
    """Nobody can mint them: they are taken out and supplied again. 90,000 USD of shares and 80,000
    of ETH count for a debt of 165,000: parts of 90 and 80 of 170, each as healthy as the account.
    A loss of the vault then leaves the pair of ETH alone."""
    listed = '[[venue.asset]]\nsymbol = "USDX"\nsupplied = 1_000_000\n'
    collateral = (
        '[[venue.asset]]\nsymbol = "ETH"\nltv_bps = 8000\n'
        "liquidation_threshold_bps = 8000\nliquidation_bonus_bps = 500\n"
    )
    pool = '[[venue]]\nkind = "pool"\nname = "eth-usdx"\nbase = "ETH"\nquote = "USDX"\n'
    text = (Path(__file__).parent / "vault.toml").read_text("utf-8")
    for old, new in (
        (listed, f"{collateral}{listed}"),
        ('[[venue]]\nkind = "vault"', f'{pool}base_reserve = 1e6\n[[venue]]\nkind = "vault"'),
        (
            "supplied = {vUSDX = 100_000}\nborrowed = {USDX = 85_000}",
            "supplied = {vUSDX = 100_000, ETH = 50}\nborrowed = {USDX = 165_000}",
        ),
    ):
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "mixed.toml"
    file.write_text(text, "utf-8")
    made = load_scenario(str(file))
    cut = Cuts(frozenset({Link("beta", "cross-margin")}))
    whole, without = played(made, UNCUT, cut)
    assert not without.violations
    one, other, *_ = without.opening["beta"].health
    assert one == pytest.approx(whole.opening["beta"].health[0], rel=1e-9)
    assert other == pytest.approx(one, rel=1e-9)
    owed = [without.opening["beta"].words(pair)[2] for pair in (0, 1)]
    assert owed[0] == pytest.approx(165_000 * 10**6 * 90 / 170, abs=2)
    assert sum(owed) - 165_000 * 10**6 in (0, 1, 2)
    taken = [[r.collateral for r in t.liquidations if r.venue == "beta"] for t in (whole, without)]
    assert taken == [["ETH"], ["vUSDX"]]


def _odd(factor: float) -> Row:
    held = (("ETH", 100 * factor), ("XYZ", 161.7 * factor))
    return held, (("USDX", 95_123.45 * factor), ("DAIX", 30.7 * factor))
