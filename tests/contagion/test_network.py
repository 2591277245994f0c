"""Measures from positions alone, against cases small enough for paper."""

from __future__ import annotations

import numpy as np
import pytest

from harness.experiments.contagion import contagion
from harness.risk.network import (
    clearing_vector,
    indirect_losses,
    overlaps,
    rank_correlation,
    sale_share,
    vulnerability,
)
from harness.run import run
from harness.scenario import Arbitrageur, ExternalMarket


def test_overlap_weighs_common_holdings_by_their_depth():
    # 1 and 2 share the first asset (100 x 50 / 1000), 2 and 3 the second (20 x 40 / 200)
    omega = overlaps([[100, 0], [50, 20], [0, 40]], [1000, 200])
    assert omega.tolist() == [[10, 5, 0], [5, 2.5 + 2, 4], [0, 4, 8]]


def test_losses_are_overlaps_times_the_share_that_is_sold():
    held, depths, shares = np.array([[100.0, 0], [50, 20]]), [1000, 200], [0.5, 0.25]
    sold = held * np.array(shares)[:, None]
    expected = overlaps(held, depths) * np.array(shares)
    assert indirect_losses(held, depths, sold).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("assets", "equity", "share"),
    [(100, 10, 0.0), (100, 5, (100 - 8 * 5) / 100), (100, 0, 1.0), (100, -3, 1.0)],
)
def test_a_fund_sells_only_past_its_trigger_and_down_to_its_target(assets, equity, share):
    assert sale_share(assets, equity, 100, most=10, target=8) == share


def test_vulnerability_of_two_funds_in_one_asset():
    """A = 100 and 50, E = 20 and 25 (leverage 4 and 1), impact 1/1000, shock -10%: losses 10 and 5,
    sales 40 and 5; the price falls by .045, a loss of 4.5 and 2.25."""
    found = vulnerability([[100], [50]], [20, 25], [1000], [-0.1])
    assert found.losses.tolist() == [[4.0, 0.5], [2.0, 0.25]]
    assert found.aggregate == pytest.approx(6.75 / 45, abs=1e-15)
    assert found.systemicness.tolist() == pytest.approx([6 / 45, 0.75 / 45])
    assert found.asset_systemicness.tolist() == pytest.approx([6.75 / 45])
    assert found.indirect.tolist() == pytest.approx([4.5 / 20, 2.25 / 25])


def test_a_chain_of_debts_clears_as_on_paper():
    """1 owes 2 ten and has four; 2 owes 3 eight and has one: payments 4, then 5; 3 owes nothing."""
    debts = [[0, 10, 0], [0, 0, 8], [0, 0, 0]]
    assert clearing_vector(debts, [4, 1, 0]).tolist() == [4, 5, 0]
    # default leaves half of cash and half of receipts: 2, then (1 + 2) / 2
    halves = clearing_vector(debts, [4, 1, 0], alpha=0.5, beta=0.5)
    assert halves.tolist() == [2, 1.5, 0]


def test_a_ring_without_cash_has_many_solutions():
    """Each owes the other one and has nothing: anything between paying all and paying nothing."""
    ring = [[0, 1], [1, 0]]
    assert clearing_vector(ring, [0, 0]).tolist() == [1, 1]
    assert clearing_vector(ring, [0, 0], which="least").tolist() == [0, 0]


def test_costs_of_default_make_two_solutions_where_there_was_one():
    """Each owes 10 and has 1 of its own; of a defaulter's means half is lost. If both are paid,
    both pay: 1 + 10 >= 10. If neither is, each has (1 + p) / 2 to pay, so p = 1."""
    ring = [[0, 10], [10, 0]]
    costly = {"alpha": 0.5, "beta": 0.5}
    assert clearing_vector(ring, [1, 1], **costly).tolist() == [10, 10]
    assert clearing_vector(ring, [1, 1], which="least", **costly) == pytest.approx([1, 1])
    # without costs cash flows round until all is paid: one solution
    assert clearing_vector(ring, [1, 1], which="least").tolist() == [10, 10]


def test_clearing_pays_no_more_than_is_owed_nor_than_there_is():
    rng = np.random.default_rng(5)
    for _ in range(50):
        debts = rng.uniform(0, 10, (5, 5)) * (rng.uniform(size=(5, 5)) < 0.6)
        np.fill_diagonal(debts, 0)
        cash = rng.uniform(0, 8, 5)
        due = debts.sum(axis=1)
        shares = np.divide(debts, due[:, None], out=np.zeros_like(debts), where=due[:, None] > 0)
        least, greatest = (clearing_vector(debts, cash, which=w) for w in ("least", "greatest"))
        assert (least <= greatest + 1e-9).all()
        for paid in (least, greatest):
            assert np.allclose(paid, np.minimum(due, shares.T @ paid + cash), atol=1e-8)


@pytest.mark.parametrize(
    ("debts", "cash", "change"),
    [
        ([[1]], [0], {}),
        ([[0, -1], [0, 0]], [0, 0], {}),
        ([[0]], [-1], {}),
        ([[0]], [0], {"alpha": 0}),
        ([[0]], [0], {"alpha": 1.01}),
        ([[0]], [0], {"beta": 0}),
        ([[0]], [0], {"beta": 1.01}),
    ],
)
def test_what_is_no_network_is_refused(debts, cash, change):
    with pytest.raises(ValueError, match="must be"):
        clearing_vector(debts, cash, **change)


def test_funds_without_equity_depth_or_a_target_below_their_trigger_are_refused():
    with pytest.raises(ValueError, match="equity must be above 0"):
        vulnerability([[100], [50]], [20, 0], [1000], [-0.1])
    assert vulnerability([[0.4]], [0.1], [1000], [-0.1]).losses[0, 0] > 0, "below 1 is enough"
    for depths in ([0], [1000, 1000]):
        with pytest.raises(ValueError, match="one depth above 0 for each asset"):
            overlaps([[100], [50]], depths)
    assert overlaps([[1]], [0.5]).tolist() == [[2]]
    with pytest.raises(ValueError, match="target leverage 11 is above the trigger 10"):
        sale_share(100, 5, 100, most=10, target=11)
    assert sale_share(100, 5, 100, most=10, target=10) == 0.5


def test_ranks_of_equal_values_are_shared():
    assert rank_correlation([1, 2, 3], [10, 20, 30]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    # ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 x 5)
    assert rank_correlation([1, 5, 5, 9], [1, 2, 3, 4]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)
    assert rank_correlation([1, 1], [1, 2]) is None
    assert rank_correlation([], []) is None
    assert rank_correlation([1, 2], [2, 1]) == pytest.approx(-1), "two values are enough"


def test_positions_foretell_which_venue_infects_which(several):
    """Three markets of 100, 40 and 5 ETH an account in one pool: the larger ones infect more."""
    sizes = {"large": 100.0, "middle": 40.0, "small": 5.0}
    scenario = several.scenario(
        falls=(0.96, 0.92, 0.88, 0.84, 0.80, 0.76),
        markets=[several.market(name) for name in sizes],
        populations=[
            several.positions(
                name, [(held, round(held * 800 / (1.01 + 0.02 * i), 2)) for i in range(6)]
            )
            for name, held in sizes.items()
        ],
        agents=[
            *[several.liquidator(f"of-{name}", name) for name in sizes],
            Arbitrageur(
                "arbitrageur", "eth-usdx", 1e8, bid=several.FREE, min_profit_usd=1, fee_deposit=1e3
            ),
        ],
        external=ExternalMarket(1e4, 0, 0),
    )
    found = contagion(run(scenario, 11))
    assert set(found.foresight()) == {"overlap", "indirect", "vulnerability"}
    assert found.foresight()["indirect"] > 0
    written = found.as_json()["predicted"]["indirect"]
    assert written["rank_correlation"] == found.foresight()["indirect"]
