"""A run with an exchange beside a lending market: books, ledger, figures."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from harness.accounts import account
from harness.contracts import Contract
from harness.metrics.losses import losses
from harness.metrics.tree import cascade_edges, parents
from harness.setup import Setup
from harness.traders import account_word

WAD = 10**18


def test_the_fall_has_every_kind_of_liquidation_and_answer(fallen) -> None:
    kinds = {row.kind for row in fallen.run.liquidations if row.venue == "perps"}
    assert kinds == {"partial", "whole", "takeover"}
    calls = fallen.run.calls["perps"]
    assert {call.outcome for call in calls} == {"met", "reduced", "ignored"}
    assert {call.end for call in calls} == {"restored", "taken over"}
    assert any(row.venue == "bank" for row in fallen.run.liquidations)


def test_all_invariants_hold_and_those_of_both_kinds_of_venue_are_checked(fallen) -> None:
    checks = fallen.summary["checks"]["invariants"]
    assert all(checks.values()), fallen.run.violations
    lending = {"MKT-1", "MKT-2", "IDX-1", "LIQ-1", "TOK-1"}
    assert set(checks) == lending | {"PRP-1", "PRP-2", "PRP-3", "PRP-4", "PRP-5"}


def test_changes_by_role_add_up_to_zero_of_every_token(fallen) -> None:
    sums: defaultdict[str, int] = defaultdict(int)
    roles = set()
    for row in losses(fallen):
        sums[row.asset] += row.amount
        if row.venue == "perps" and row.asset:
            roles.add(row.role)
    assert {"USDC", "ETH", "BTC", "USD", ""} <= set(sums)
    assert not any(sums.values()), dict(sums)
    assert {"traders", "apart", "vault", "insurance fund", "liquidator", "desk", "basis"} <= roles
    assert "exchange books" not in roles, "some claim on the exchange is nobody's"


def test_unrealised_profits_are_the_vaults_but_for_the_wei_of_rounding(fallen) -> None:
    dust = [row.amount for row in losses(fallen) if row.role == "exchange dust"]
    accounts = len(fallen.run.exchange_closing["perps"].accounts)
    # each position and each market leaves less than two units of USDC, at both ends
    assert sum(map(abs, dust)) <= 4 * (accounts + 2) * 10**12


def test_solvency_says_who_bore_what_accounts_could_not_pay(play) -> None:
    """A gap of 30% in one block, past every liquidation."""
    fallen = play("clock.blocks=12", "asset.ETH.price.shock=[{at_s=60, factor=0.7}]")
    solvency = fallen.summary["solvency"]["by_venue"]["perps"]
    lost = sum(row.amount for row in fallen.run.losses)
    by = {row.by for row in fallen.run.losses}
    assert lost > 0
    assert by <= {"insurance", "vault"}
    assert solvency["bad_debt_usd"] == pytest.approx(lost / 10**6, rel=0.01)
    carried = solvency["carried_by_insurance_usd"] + solvency["carried_by_vault_usd"]
    assert carried == pytest.approx(lost / 10**6, rel=0.01)
    fund = fallen.run.blocks[-1].exchanges["perps"].insurance_equity
    assert solvency["insurance_fund_usd"] == pytest.approx(fund / 10**6, rel=0.01)


def test_calls_are_those_of_the_chain(fallen) -> None:
    """Every call and end of one is a transaction's event; the book adds nothing of its own."""
    called = [r for r in fallen.run.transactions if (r.action, r.status) == ("call", "succeeded")]
    assert len(called) == len(fallen.run.calls["perps"])
    figures = fallen.summary["exchanges"]["perps"]["margin_calls"]
    assert figures["count"] == len(called)
    assert figures["met"] + figures["reduced"] + figures["ignored"] == figures["count"]
    assert figures["restored"] + figures["taken_over"] + figures["open"] == figures["count"]


def test_liquidators_are_credited_what_their_rows_say(fallen) -> None:
    """To the wei, takeovers included, whose pay no event tells."""
    venue = fallen.world.exchanges["perps"]
    before, after = fallen.run.exchange_opening["perps"], fallen.run.exchange_closing["perps"]
    for index in range(2):
        number = after.accounts.index(account_word(account("liquidator", index).address))
        gained = venue.named(after.row(number)).get(("cash", "USDC"), 0) - venue.named(
            before.row(number)
        ).get(("cash", "USDC"), 0)
        rows = [r for r in fallen.run.liquidations if r.liquidator == f"liquidator-{index}"]
        assert gained == sum(row.proceeds - row.repaid for row in rows)
    assert any(row.proceeds > row.repaid for row in fallen.run.liquidations if row.kind)


def test_without_spot_legs_nothing_is_amplified(play) -> None:
    """The same fall with nobody who carries it to the index, and collateral that nobody sells."""
    quiet = (
        "agent.desk.ratio_bps=0",
        "agent.basis.exit_bps=10000",
        "population.traders.collateral={USDC = 1}",
        "population.traders.response.sell_bps=0",
        "population.traders.response.borrow_bps=0",
        "population.borrowers.health.min=2.5",
    )
    result = play(*quiet)
    assert result.summary["liquidations"]["count"] > 5
    assert result.summary["cascade"]["amplification"] == 1.0
    assert {row.wave for row in result.run.liquidations} == {0}


def test_hedges_make_waves_of_what_they_follow(play) -> None:
    """A deeper book of leverage and a thinner market outside: what the desk sells causes later
    liquidations, each of a wave after that of its parent."""
    result = play(
        "population.traders.margin_usd=2_500_000",
        "agent.desk.inventory={ETH = 4000, BTC = 100}",
        "population.traders.leverage.min=4",
    )
    trades = {trade.id: trade for trade in result.run.trades}
    assert any(trade.action == "hedge" and trade.after for trade in trades.values())
    assert {row.wave for row in result.run.liquidations} >= {0, 1}
    later = [row for row in result.run.liquidations if row.cause == "price"]
    for row in later:
        parent = trades[row.parent]
        assert row.wave >= 1
        if parent.after:
            assert row.wave == result.run.liquidations[parent.after - 1].wave + 1
    edges = cascade_edges(result.run, {})
    for number, row in enumerate(result.run.liquidations, 1):
        causes = [edge for edge in edges if edge.target == f"L{number}"]
        assert len(causes) == (row.cause == "price"), (number, row.cause)
        if causes and trades[row.parent].after:
            assert parents(edges)[number] == trades[row.parent].after


@pytest.mark.parametrize(
    ("mutant", "identifier"),
    [
        ("PerpForgetsFee", "PRP-1"),
        ("PerpForgetsFunding", "PRP-4"),
        ("PerpCreditsOneMore", "PRP-5"),
    ],
)
def test_a_run_notices_the_bug_of_each_mutant(
    play, monkeypatch, mutant: str, identifier: str
) -> None:
    """Those that the flow of a run brings out; tests/contracts/perp has one for each invariant."""
    deploy = Setup.deploy

    def deployed(self: Setup, name: str, *args: Any, **options: Any) -> Contract:
        return deploy(self, mutant if name == "PerpExchange" else name, *args, **options)

    monkeypatch.setattr(Setup, "deploy", deployed)
    result = play("clock.blocks=30")
    assert identifier in {text.split(" ")[0] for text in result.run.violations}, (
        result.run.violations
    )


def test_who_liquidates_in_vain_pays_fees_out_of_the_liquidators_profit(play) -> None:
    """Of six liquidators one is never first. Fees of all six count, and of nobody else."""
    result = play("agent.liquidator.count=6")
    run, units = result.run, result.world.units
    six = [name for name in run.fees if "liquidator" in name]
    assert {row.liquidator for row in run.liquidations} < set(six)
    dollars = [block.external["USDC"] / 1e8 for block in run.blocks]
    brought = sum(
        row.reward_usd / WAD + (row.proceeds - row.repaid) / units[row.debt] * dollars[row.block]
        for row in run.liquidations
        if row.trade or row.proceeds
    )
    fees = sum(run.fees[name] for name in six) / WAD * run.blocks[-1].external["ETH"] / 1e8
    profit = result.summary["liquidations"]["liquidator_profit_usd"]
    assert profit == pytest.approx(brought - fees, abs=1e-6)
