"""Remedies for vaults: what each changes in a scenario, and what comes of it on chain."""

from pathlib import Path

import pytest

from harness.experiments.compare import BASELINE, compare
from harness.experiments.table import comparison_table
from harness.mitigations import mitigation, mitigations, remedied
from harness.run import run, set_up
from harness.scenario import Borrowers, Curator, Vault, load_scenario
from harness.testing.mitigation_conformance import MitigationConformance

SEED = 5
UNIT = 10**6
FILE = str(Path(__file__).parent.parent / "contagion" / "vault.toml")
VAULT_REMEDIES = ("vault-buffer", "vault-curator", "earlier-share-threshold")


POOLED = """kind = "pooled-lending"
name = "eth"
[[venue.asset]]
symbol = "ETH"
ltv_bps = 8000
liquidation_threshold_bps = 8600
liquidation_bonus_bps = 500
[[venue.asset]]
symbol = "USDX"
"""
HOLDERS = """
[[population]]
kind = "borrowers"
name = "eth-users"
venue = "eth"
count = 5
collateral = "ETH"
debt = "USDX"
health = {excess_median = 0.1, excess_sigma = 0.5, min = 1.01, max = 2.0}
size = {total_debt_usd = 200_000, sigma = 0.5, min_debt_usd = 1_000}
"""


def with_pooled(tmp_path):
    """The file with a pooled market in the place of the isolated one that takes ETH."""
    text = Path(FILE).read_text()
    first = text.index('kind = "isolated-lending"\nname = "eth"')
    file = tmp_path / "pooled.toml"
    file.write_text(text[:first] + POOLED + text[text.index("[[venue]]", first) :] + HOLDERS)
    return file


class TestEveryRemedyWhereThereIsAVault(MitigationConformance):
    scenarios = ("curated-vaults", FILE)

    @pytest.fixture(autouse=True, params=tuple(mitigations()))
    def _name(self, request):
        self.name = request.param

    def make(self):
        return mitigation(self.name)


@pytest.mark.parametrize("name", VAULT_REMEDIES)
def test_without_a_vault_it_changes_nothing(name):
    scenario = load_scenario("calm")
    assert mitigation(name).apply(scenario) == scenario


def test_a_buffer_is_a_tenth_of_the_deposits_and_leaves_utilisation_as_it_was():
    before = load_scenario("curated-vaults")
    after = remedied(before, "vault-buffer")
    (old,), (new,) = before.venues_of(Vault), after.venues_of(Vault)
    assert new.idle == old.deposits / 10
    assert new.deposits == old.deposits

    def utilisation(scenario, vault, market, place):
        supplied = scenario.venue(market).supplied + vault.markets[place].supplied
        return scenario.populations[1 - place].size.total_debt_usd / supplied

    for place, market in enumerate(("eth-market", "xusd-market")):
        used = [utilisation(*each, market, place) for each in ((before, old), (after, new))]
        assert used[1] == pytest.approx(used[0], abs=1e-8)  # debts are whole cents of millions
    assert after.populations[2] == before.populations[2]  # the vault does not lend there


def test_a_market_with_stated_debts_gives_a_buffer_no_more_than_they_leave():
    stated = (
        "population.alt-users.position=[{supplied={ALT=120_000}, borrowed={USDX=960_000}}]",
        "venue.alt.slope1=0.0",
    )
    scenario = remedied(load_scenario(FILE, stated), "vault-buffer")
    (vault,) = scenario.venues_of(Vault)
    assert [market.supplied for market in vault.markets] == [560_000, 270_000]
    assert vault.idle == 70_000
    world = set_up(scenario, SEED)[1]
    assert world.vaults["prime"].spec.idle == 70_000


def test_a_vault_that_has_a_curator_keeps_it_and_a_buffer_that_is_there_is_not_made_again():
    scenario = load_scenario("curated-vaults")
    once = remedied(scenario, "vault-curator+vault-buffer")
    assert len(once.agents_of(Curator)) == 1
    assert remedied(once, "vault-curator+vault-buffer") == once


def test_earlier_share_threshold_keeps_health_factors_and_covers_the_debt_of_who_is_liquidated():
    scenario = load_scenario(FILE)
    changed = remedied(scenario, "earlier-share-threshold")
    assert changed.venue("beta").asset("vUSDX").liquidation_threshold_bps == 8_500
    assert changed.venue("alt") == scenario.venue("alt")
    # who had 100,000 shares at .9 has 100,000 x .9 / .85 of them, rounded up
    assert changed.populations[1].positions[0].supplied == (("vUSDX", 105_882.352942),)
    plain, cut = (run(each, SEED) for each in (scenario, changed))
    for found in (plain, cut):
        assert [row.account for row in found.run.liquidations if row.venue == "beta"] == [0]
    deficits = [found.run.blocks[-1].venues["beta"].states[1].deficit for found in (plain, cut)]
    assert deficits[0] > 0 == deficits[1]


def test_earlier_share_threshold_reaches_isolated_markets():
    scenario = load_scenario("curated-vaults")
    changed = remedied(scenario, "earlier-share-threshold")
    before, after = (each.venue("share-market").lltv_bps for each in (scenario, changed))
    assert (before, after) == (9_650, 9_150)
    assert changed.venues[:-1] == scenario.venues[:-1]


def test_depth_cap_holds_debts_against_shares_to_what_the_vault_could_pay_out():
    scenario = load_scenario("curated-vaults")
    capped = remedied(scenario, "depth-cap")
    against = {
        each.collateral: each.size.total_debt_usd
        for each in capped.populations
        if isinstance(each, Borrowers)
    }
    # the cash of both markets: 34,000,000 - 29,500,000 and 8,500,000 - 8,100,000
    assert against["vUSDC"] == 4_900_000
    assert set_up(capped, 0)[1].vaults


@pytest.mark.parametrize("name", ["isolated-mode", "depth-cap"])
def test_a_pooled_market_that_a_vault_lends_to_stays_and_so_do_debts_nobody_could_sell_for(
    tmp_path, name
):
    """Of the ETH of its borrowers there is neither a pool nor an outside market to sell it to."""
    scenario = load_scenario(str(with_pooled(tmp_path)))
    assert remedied(scenario, name) == scenario


def test_contagion_of_a_comparison_shows_what_the_claims_link_no_longer_carries():
    found = compare(load_scenario(FILE), ["earlier-share-threshold"], (SEED,), with_contagion=True)
    carried = {name: matrix["alt"]["beta"].mean for name, matrix in found.contagion.items()}
    assert carried[BASELINE] > 0 == carried["earlier-share-threshold"]
    levels = {name: found.levels[name] for name in found.names}
    assert levels[BASELINE]["contagion_usd"].mean == pytest.approx(carried[BASELINE])
    # that of the market whose collateral fell stays, and with it what the vault lost there
    kept = [levels[name]["vault_loss_usd"].mean for name in found.names]
    assert kept[0] == kept[1] > 0
    assert "vaults' loss in their markets, $" in comparison_table(found)


@pytest.fixture(scope="module")
def curated():
    """Runs of the curated vault as it is and with each remedy."""
    scenario = load_scenario("curated-vaults")
    names = ("", *VAULT_REMEDIES)
    return {name: run(remedied(scenario, name) if name else scenario, 0) for name in names}


def insolvency(result, venue):
    return result.summary["solvency"]["by_venue"][venue]["insolvency_usd"]


@pytest.mark.slow
def test_a_buffer_pays_liquidators_of_shares_who_would_have_come_too_late(curated):
    plain, buffered = (curated[name].summary["vaults"]["prime"] for name in ("", "vault-buffer"))
    assert buffered["forced_redemptions"]["usd"] > 2 * plain["forced_redemptions"]["usd"]
    assert insolvency(curated["vault-buffer"], "share-market") < 0.05 * insolvency(
        curated[""], "share-market"
    )
    # nothing is left of it all the same: depositors run until the vault has no cash
    assert buffered["liquidity_usd"] < 10_000


@pytest.mark.slow
def test_a_curator_who_leaves_drives_up_the_rate_and_what_those_who_stay_cannot_redeem(curated):
    plain, left = curated[""], curated["vault-curator"]
    moves = [row.status for row in left.run.transactions if row.action == "deallocate"]
    assert set(moves) == {"succeeded"}
    (loss,) = {min(row.block for row in found.run.bad_debts) for found in (plain, left)}
    before = [found.run.blocks[loss - 1] for found in (plain, left)]
    cash = [block.venues["xusd-market"].states[1].cash for block in before]
    debt = [block.venues["xusd-market"].states[1].total_debt for block in before]
    assert cash[1] < cash[0] // 100
    assert debt[1] > debt[0]
    assert insolvency(left, "xusd-market") > insolvency(plain, "xusd-market")
    assert insolvency(left, "share-market") > insolvency(plain, "share-market")
    prices = [found.summary["vaults"]["prime"]["price_usd"]["end"] for found in (plain, left)]
    assert prices[1] > prices[0]


@pytest.mark.slow
def test_an_earlier_share_threshold_leaves_no_uncovered_debt_against_shares(curated):
    assert insolvency(curated["earlier-share-threshold"], "share-market") == 0
    assert insolvency(curated[""], "share-market") > 0
    markets = [insolvency(curated[name], "xusd-market") for name in ("", "earlier-share-threshold")]
    assert markets[1] == pytest.approx(markets[0], rel=1e-4)
