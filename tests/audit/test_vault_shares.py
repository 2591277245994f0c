"""A vault's share has no price process of its own: audits and sweeps move what is behind it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.audit.draws import crisis, draws, stresses
from harness.audit.levers import scale_health, scale_population
from harness.audit.pressure import scale_depth
from harness.cli import main
from harness.run import run, set_up
from harness.scenario import Pool, SharePrice, Vault, checked, load_scenario

VAULT = Path(__file__).parents[1] / "contagion" / "vault.toml"
STILL = 'asset.ALT.price={process="constant"}'


def test_crises_move_the_collateral_behind_a_vault_and_never_its_share():
    scenario = load_scenario(str(VAULT), (STILL,))
    moved = {stress.name: stress.assets for stress in stresses(scenario)}
    assert moved == {"downturn": ("ALT",), "broken-correlation": ("USDX",)}
    for stress in stresses(scenario):
        for draw in draws(scenario, stress, 20, 3):
            assert isinstance(crisis(scenario, draw).asset("vUSDX").price, SharePrice)


def test_the_worst_crisis_of_an_audit_takes_the_share_down_by_what_the_vault_lost():
    scenario = load_scenario(str(VAULT), (STILL, "clock.blocks=60"))
    (downturn,) = [stress for stress in stresses(scenario) if stress.kind == "downturn"]
    worst = max(draws(scenario, downturn, 20, 3), key=lambda draw: draw.move)
    found = run(crisis(scenario, worst), worst.seed)
    (bad_debt,) = [row for row in found.run.bad_debts if row.venue == "alt"]
    # 600,000 of 1,000,000 there are the vault's, which has 900,000; the price has 8 decimals
    part = 1 - bad_debt.amount * 0.6 / 900_000e6
    assert found.run.blocks[-1].external["vUSDX"] / 1e8 == pytest.approx(part, abs=1e-8)
    assert part < 1


def test_accounts_that_an_audit_makes_larger_deposit_for_the_shares_they_lack():
    held = "[{supplied={vUSDX=850_000}, borrowed={USDX=700_000}}]"
    scenario = load_scenario(str(VAULT), (f"population.beta-users.position={held}",))
    for made, more in (
        (scale_health(scenario, 1.1), 35_001),
        (scale_population(scenario, 2.0, "beta", "vUSDX", borrowed=False), 800_001),
        (scale_health(scenario, 0.9), 0),
    ):
        (vault,) = checked(made).venues_of(Vault)
        assert vault.idle == more
        set_up(made, 0)


def test_a_pool_that_an_audit_makes_deeper_has_shares_that_were_deposited_for():
    scenario = load_scenario(str(VAULT))
    pool = Pool("shares", "vUSDX", "USDX", 300_000)
    made = checked(scale_depth(replace(scenario, venues=(*scenario.venues, pool)), 4.0))
    (vault,) = made.venues_of(Vault)
    # 200,000 are collateral, and 900,000 were there
    assert (made.venue("shares").base_reserve, vault.idle) == (1_200_000, 500_001)
    set_up(made, 0)


@pytest.mark.slow  # hundreds of runs
def test_an_audit_of_a_market_that_takes_shares_runs(tmp_path):
    few = ("audit.runs=20", "audit.search_runs=10", "audit.steps=1", "audit.trajectories=0")
    few += ("audit.health=[1.0]", "audit.depth=[1.0]", STILL)
    settings = [word for setting in few for word in ("--set", setting)]
    folder = tmp_path / "audit"
    code = main(["audit", str(VAULT), *settings, "--out", str(folder), "-q"])
    assert code in (0, 1)
    classes = json.loads((folder / "audit.json").read_text())["classes"]
    assert {each["name"]: each["assets"] for each in classes} == {
        "downturn": ["ALT"],
        "broken-correlation": ["USDX"],
    }


def test_a_sweep_of_what_a_vault_lends_runs(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text(
        f'schema = 1\nname = "lent"\nscenario = "{VAULT}"\n[[parameter]]\nname = "lent"\n'
        'path = "venue.prime.market[0].supplied"\nvalues = [600_000, 300_000]\n'
    )
    folder = tmp_path / "out"
    assert main(["sweep", str(file), "--workers", "1", "--out", str(folder), "-q"]) == 0


TABLES = {
    "prices.csv": "time,price\n2025-11-03,1\n",
    "depth.csv": "asset,amount,price_impact\nvUSDX,1,0.01\n",
    "quotes.csv": "src,dst,in_amount,out_amount\nvUSDX,USDX,1,1\n",
}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("audit --prices vUSDX=prices.csv", "ASSET=FILE.csv with one of ETH, ALT, USDX"),
        ("run --prices vUSDX=prices.csv", "vUSDX is a vault's share"),
        ("audit --depth depth.csv", "asset = 'vUSDX': one of ETH, ALT, USDX"),
        ("audit --depth vUSDX=quotes.csv", "quotes of vUSDX ("),
        ("run --set asset.vUSDX.price.shock=[{at_s=1,factor=0.5}]", "known fields: (none)"),
        ('run --set asset.vUSDX.price={process="constant"}', "asset[3].start_price_usd"),
        (
            'audit --set audit.stress=[{name="s",kind="downturn",assets=["vUSDX"]}]',
            "audit.stress[0].assets = 'vUSDX': an asset whose price process takes shocks",
        ),
    ],
)
def test_a_price_for_a_share_is_refused_in_one_line(command, told, tmp_path, monkeypatch, capsys):
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    verb, *rest = command.split(" ")
    assert main([verb, str(VAULT), *rest]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert told in error
