"""Clearing vectors of markets, vaults and accounts with shares: on paper, and against runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.cli import main
from harness.cuts import Link
from harness.experiments.contagion import contagion
from harness.metrics.clearing_vector import (
    ClaimsNetwork,
    ShareAccount,
    Side,
    claims_network,
    clearing_predictions,
)
from harness.report import report
from harness.run import run
from harness.scenario import load_scenario

SEED = 5
FILE = Path(__file__).parent / "vault.toml"

#: USD of a base unit of USDX: what rounding in contracts may take at a time
UNIT = 1e-6

A, B, C, D = (Side(name, "USDX") for name in "abcd")

#: A has 880 for claims of 1,000 and B all of its 500; the vault's 600 and 300 there are worth 828,
#: 92% of what they were. C's first account has 92 for its debt of 95.
ONE_VAULT = {
    "claims": {A: 1000.0, B: 500.0, C: 200.0},
    "means": {A: 880.0, B: 500.0, C: 20.0},
    "lent": {"v": {A: 600.0, B: 300.0}},
    "idle": {"v": 0.0},
    "accounts": [
        ShareAccount({C: 95.0}, 0.0, {"v": 100.0}),
        ShareAccount({C: 85.0}, 0.0, {"v": 100.0}),
    ],
}


def scenario(folder, text, *settings):
    file = folder / "changed.toml"
    file.write_text(text)
    return load_scenario(str(file), settings)


# --- on paper ---------------------------------------------------------------------------


def test_a_vault_passes_on_its_part_and_an_account_pays_as_long_as_its_shares_do():
    assert ClaimsNetwork(**ONE_VAULT).losses() == pytest.approx(
        {"a": 120, "b": 0, "c": 3}, abs=1e-12
    )


def test_without_a_markets_link_its_losses_are_its_own():
    """B has 410 of 500: shares are worth 86%, without A's link 94% and without B's 92% for a debt
    of 95. Each link carries more than it would alone, since the first 5 are the account's."""
    both = ClaimsNetwork(**ONE_VAULT | {"means": {A: 880.0, B: 410.0, C: 20.0}})
    assert both.losses() == pytest.approx({"a": 120, "b": 90, "c": 9}, abs=1e-12)
    assert both.without("a").losses() == pytest.approx({"a": 120, "b": 90, "c": 1}, abs=1e-12)
    assert both.without("b").losses() == pytest.approx({"a": 120, "b": 90, "c": 3}, abs=1e-12)
    assert both.without("c").losses() == both.losses()


def test_two_vaults_in_a_chain_pass_on_a_part_of_a_part():
    """Half of C's 200 is owed to a second vault, which has 50 beside it: 148.5 of 150, 99%. D's
    account pays 40.3 and 99% of 60 for its debt of 100."""
    chained = ONE_VAULT | {
        "claims": ONE_VAULT["claims"] | {D: 100.0},
        "means": ONE_VAULT["means"] | {D: 0.0},
        "lent": ONE_VAULT["lent"] | {"w": {C: 100.0}},
        "idle": {"v": 0.0, "w": 50.0},
        "accounts": [*ONE_VAULT["accounts"], ShareAccount({D: 100.0}, 40.3, {"w": 60.0})],
    }
    found = ClaimsNetwork(**chained).losses()
    assert found == pytest.approx({"a": 120, "b": 0, "c": 3, "d": 0.3}, abs=1e-12)


def ring(means: float, kept: float) -> dict[str, float]:
    """A owes 100 to v, whose shares pay B's only debt; B owes 100 to w, whose shares pay A's."""
    return ClaimsNetwork(
        claims={A: 100.0, B: 100.0},
        means={A: 0.0, B: 0.0},
        lent={"v": {A: 100.0}, "w": {B: 100.0}},
        idle={"v": 0.0, "w": 0.0},
        accounts=[
            ShareAccount({A: 100.0}, means, {"w": 100.0 * kept}),
            ShareAccount({B: 100.0}, 0.0, {"v": 100.0 * kept}),
        ],
    ).losses()


def test_round_a_circle_of_two_vaults_the_greatest_of_all_solutions_is_taken():
    """Any payment that goes round is a solution; the greatest is everything."""
    assert ring(0.0, 1.0) == {"a": 0.0, "b": 0.0}


def test_costs_wear_payments_down_round_a_circle():
    """p_A = 18 + .8 p_B and p_B = .8 p_A: 50 and 40. With 36 instead of 18 they are 100 and 80, and
    where there is nothing of one's own nothing is left in the end. The iteration ends at a step of
    1e-10; a round of six firms leaves .64, so that all steps to come are 1e-10 / (1 - .64^(1/6))
    at most."""
    close = 1e-10 / (1 - 0.64 ** (1 / 6))
    assert ring(18.0, 0.8) == pytest.approx({"a": 50, "b": 60}, abs=close)
    assert ring(36.0, 0.8) == pytest.approx({"a": 0, "b": 20}, abs=close)
    assert ring(0.0, 0.8) == pytest.approx({"a": 100, "b": 100}, abs=close)


def test_debts_of_several_assets_are_paid_in_proportion_and_other_collateral_counts():
    """The account has 30 and shares that pay 48 of 80 for debts of 60 and 40."""
    other = Side("c", "ETH")
    found = ClaimsNetwork(
        claims={A: 100.0, C: 60.0, other: 40.0},
        means={A: 60.0, C: 0.0, other: 0.0},
        lent={"v": {A: 100.0}},
        idle={"v": 0.0},
        accounts=[ShareAccount({C: 60.0, other: 40.0}, 30.0, {"v": 80.0})],
    ).losses()
    assert found == pytest.approx({"a": 40, "c": 22}, abs=1e-12)


# --- against runs -----------------------------------------------------------------------


@pytest.fixture(scope="module", params=[0.5, 0.2])
def fallen(request, tmp_path_factory):
    """ALT falls to this share at once: the run, its contagion, and the share."""
    folder = tmp_path_factory.mktemp("fallen")
    setting = f"asset.ALT.price.points=[[36, {request.param}]]"
    found = run(scenario(folder, FILE.read_text(), setting), SEED)
    return found, contagion(found), request.param


def test_less_the_bonus_the_prediction_is_what_the_claims_link_carried(fallen):
    """To three units: bad debt and the two worths of shares on its way are rounded once each."""
    result, found, _ = fallen
    predicted = found.predicted["costly_clearing"].matrix
    for i, row in predicted.items():
        for j, loss in row.items():
            carried = Link(i, "claims") in found.links
            simulated = found.entry(Link(i, "claims"), j) / 1e18 if carried else 0
            assert loss == pytest.approx(simulated, abs=3 * UNIT)
    assert predicted["alt"]["beta"] > 300
    for market, loss in claims_network(result, costly=True).losses().items():
        assert loss == pytest.approx(found.run[market] / 1e18, abs=3 * UNIT)
    assert found.foresight()["costly_clearing"] == pytest.approx(1)


def test_at_full_worth_the_prediction_misses_what_liquidators_are_paid(fallen):
    """480,000 are owed on 60,000 ALT; the vault has 60% of what is lost, over its 900,000; an
    account owes 85,000 on 100,000 shares."""
    result, found, share = fallen
    lost = 480_000 - 600_000 * share
    worth = 100_000 * (1 - lost * 0.6 / 900_000)
    beta = max(0.0, 85_000 - worth)
    losses = claims_network(result, costly=False).losses()
    assert losses == pytest.approx({"alt": lost, "eth": 0, "beta": beta}, abs=1e-6)
    predicted = found.predicted["clearing"].matrix["alt"]
    assert predicted == pytest.approx({"alt": 0, "eth": 0, "beta": beta}, abs=1e-6)
    paid = claims_network(result, costly=True).losses()
    assert paid["alt"] - losses["alt"] == pytest.approx(600_000 * share * 0.3 * 0.14, abs=1e-6)
    assert predicted["beta"] < found.entry(Link("alt", "claims"), "beta") / 1e18
    # where nothing is predicted for anybody there are no ranks
    assert (found.foresight()["clearing"] is None) == (predicted["beta"] == 0)


def test_measures_of_sales_are_still_held_against_sales(fallen):
    _, found, _ = fallen
    channels = {name: each.channel for name, each in found.predicted.items()}
    assert channels == {
        "overlap": "price",
        "indirect": "price",
        "clearing": "claims",
        "costly_clearing": "claims",
    }
    written = found.as_json()["predicted"]
    assert {tuple(row) for row in written.values()} == {("matrix", "rank_correlation")}


def test_shares_fall_with_their_vaults_asset_where_the_debt_does_not(tmp_path):
    """ALT falls to 5 USDX, and once alt has lost by that USDX falls to .8. beta lends ETH, 38 at
    2,000 each, against 100,000 shares: healthy after the first fall. Without the link they would
    have paid for all of it."""
    pool = '[[venue]]\nkind = "pool"\nname = "eth-usdx"\nbase = "ETH"\nquote = "USDX"\n'
    text = FILE.read_text().replace("[[venue]]", f"{pool}base_reserve = 1e6\n[[venue]]", 1)
    text = text.replace('symbol = "USDX"\nsupplied = 1_000_000', 'symbol = "ETH"\nsupplied = 1_000')
    text = text.replace('venue = "beta"\ncapital = {USDX', 'venue = "beta"\ncapital = {ETH')
    settings = (
        "asset.ALT.price.points=[[36, 0.5], [96, 0.4]]",
        'asset.USDX.price={process="schedule", points=[[96, 0.8]]}',
        "population.beta-users.position=[{supplied={vUSDX=100_000}, borrowed={ETH=38}}]",
    )
    result = run(scenario(tmp_path, text, *settings), SEED)
    alt = 480_000 - 60_000 * 5 * (1 - 0.3 * 0.14)
    beta = 76_000 - 100_000 * 0.8 / 1.03 * (1 - alt * 0.6 / 900_000)
    losses = claims_network(result, costly=True).losses()
    assert losses == pytest.approx({"alt": alt, "eth": 0, "beta": beta}, abs=1e-6)
    found = contagion(result)
    predicted = found.predicted["costly_clearing"].matrix["alt"]["beta"]
    assert predicted == pytest.approx(beta, abs=1e-6)
    # the price of a share is cut to 8 decimals
    simulated = found.entry(Link("alt", "claims"), "beta") / 1e18
    assert predicted == pytest.approx(simulated, abs=100_000 * 1e-8)


def test_page_and_terminal_show_what_was_foretold_beside_what_came(tmp_path, capsys):
    folder = tmp_path / "run"
    main(["run", str(FILE), "--contagion", "--out", str(folder)])
    shown = capsys.readouterr().out
    assert "rank correlation with what positions foretold: costly clearing 1.00" in shown
    report(folder, None)
    page = (folder / "report.html").read_text("utf-8")
    start = page.index('id="foretold"')
    table = re.sub(r"<[^>]*>", " ", page[start : page.index("</table>", start)]).split("Simulated")[
        1
    ]
    assert table.split() == ["alt", "on", "beta", "$0", "$379", "$379"]
    measures = page[page.index('id="foresight"') : start]
    assert measures.count("claims on markets") == 2
    assert measures.count("pool prices") == 2


def test_the_network_is_read_from_positions(tmp_path):
    calm = ("asset.ALT.price.points=[[36, 1.0]]", "expect=quiet")
    network = claims_network(run(scenario(tmp_path, FILE.read_text(), *calm), SEED), costly=False)
    assert network.claims[Side("alt", "USDX")] == 1_000_000
    assert network.means[Side("alt", "USDX")] == 1_000_000
    assert network.lent["prime"] == {Side("alt", "USDX"): 600_000, Side("eth", "USDX"): 300_000}
    assert [account.shares for account in network.accounts] == [{"prime": 100_000}] * 2
    assert network.means[Side("beta", "USDX")] == 875_000


# --- two vaults -------------------------------------------------------------------------

#: A second vault, which lends to the market that takes the first one's shares, and a market for
#: its own; ``beta`` is isolated instead, for its losses to lower claims on it.
_TEXT = FILE.read_text()
_ISOLATED = """
[[venue]]
kind = "isolated-lending"
name = "beta"
collateral = "vUSDX"
debt = "USDX"
lltv_bps = 9150
supplied = 100_000
slope1 = 0.0
slope2 = 0.0
"""
_SECOND = """
[[asset]]
symbol = "wUSDX"
decimals = 6
price = {process = "share-price"}
[asset.feed]
kind = "product"
first = "rate"
second = "USDX"
[asset.feed.source.rate]
kind = "share-price"
[[venue]]
kind = "vault"
name = "second"
asset = "USDX"
share = "wUSDX"
idle = 10_000
[[venue.market]]
venue = "beta"
supplied = 300_000
[[venue]]
kind = "isolated-lending"
name = "gamma"
collateral = "wUSDX"
debt = "USDX"
lltv_bps = 9450
supplied = 200_000
slope1 = 0.0
slope2 = 0.0
[[population]]
kind = "positions"
name = "gamma-users"
venue = "gamma"
[[population.position]]
supplied = {wUSDX = 100_000}
borrowed = {USDX = 94_000}
[[agent]]
kind = "liquidator"
name = "bot3"
venue = "gamma"
capital = {USDX = 1_000_000}
max_transactions = 10
bid = {base_gwei = 0}
"""


def chained(isolated: bool) -> str:
    text = _TEXT
    if isolated:
        start = text.index('[[venue]]\nkind = "pooled-lending"')
        end = text.index("[[population]]")
        text = text[:start] + _ISOLATED.lstrip() + text[end:]
    return text + _SECOND


SETTINGS = (
    "asset.ALT.price.points=[[36, 0.2]]",
    "population.beta-users.position=[{supplied={vUSDX=200_000}, borrowed={USDX=170_000}}]",
)


def test_a_loss_goes_through_two_vaults_as_predicted(tmp_path):
    """Isolated markets pay 1 - .3 (1 - LLTV) of collateral's worth."""
    found = contagion(run(scenario(tmp_path, chained(isolated=True), *SETTINGS), SEED))
    alt = 480_000 - 120_000 * (1 - 0.3 * 0.14)
    beta = 170_000 - 200_000 * (1 - alt * 0.6 / 900_000) * (1 - 0.3 * 0.085)
    worth = 1 - beta * 300_000 / 400_000 / 310_000
    gamma = 94_000 - 100_000 * worth * (1 - 0.3 * 0.055)
    predicted = found.predicted["costly_clearing"].matrix["alt"]
    expected = {"alt": 0, "eth": 0, "beta": beta, "gamma": gamma}
    assert predicted == pytest.approx(expected, abs=1e-6)
    # feeds cut the price of a share to 8 decimals: 1e-8 of 200,000 shares, then of 100,000 more
    for i, hit in (("alt", "beta"), ("alt", "gamma"), ("beta", "gamma")):
        simulated = found.entry(Link(i, "claims"), hit) / 1e18
        assert simulated == pytest.approx(expected[hit], abs=3e-3)
        foretold = found.predicted["costly_clearing"].matrix[i][hit]
        assert foretold == pytest.approx(expected[hit], abs=1e-6)


def test_a_pooled_market_owes_what_it_lost_but_lowers_no_claim(tmp_path):
    """Its deficit stays where it is until somebody cannot withdraw: foretold, not simulated."""
    settings = (*SETTINGS, "venue.beta.asset.USDX.supplied=0")
    found = contagion(run(scenario(tmp_path, chained(isolated=False), *settings), SEED))
    predicted = found.predicted["costly_clearing"].matrix
    assert predicted["alt"]["beta"] == pytest.approx(found.run["beta"] / 1e18, abs=3 * UNIT)
    assert predicted["beta"]["gamma"] > 1000
    assert found.entry(Link("beta", "claims"), "gamma") == found.run["gamma"] == 0


def test_without_a_vault_there_is_no_such_prediction(several):
    found = run(
        several.scenario(
            markets=[several.market("m")],
            populations=[several.positions("m", [(10.0, 7_900.0)])],
            agents=[several.liquidator("bot", "m")],
        ),
        SEED,
    )
    assert clearing_predictions(found) == {}
    assert set(contagion(found).as_json()["predicted"]) == {"overlap", "indirect", "vulnerability"}
