"""Calls of an exchange met by selling and borrowing elsewhere: a link of holders, and cut."""

from __future__ import annotations

import pytest

from harness.cuts import UNCUT, Cuts, Link
from harness.engine import default_engine
from harness.links import links_of
from harness.run import Stage

EVERYBODY_PAYS = ("sell_bps=0", "borrow_bps=0")


@pytest.fixture(scope="module")
def passes(small):
    """The run, and without the exchange's holders, and without the market's."""
    scenario, engine = small(), default_engine()
    try:
        stage = Stage(scenario, 3, engine)
        return {
            venue: stage.play(Cuts(frozenset({Link(venue, "holder")})) if venue else UNCUT)
            for venue in ("", "perps", "bank")
        }, links_of(scenario, stage.world)
    finally:
        engine.close()


def actions(trace):
    return {row.action for row in trace.transactions if row.agent.startswith("traders-")}


def test_the_exchange_and_the_market_it_is_met_from_are_linked_by_holders(passes):
    _, links = passes
    assert {link.venue for link in links if link.channel == "holder"} == {"perps", "bank"}


def test_cut_nobody_sells_or_borrows_elsewhere_and_fewer_calls_are_met(passes):
    found, _ = passes
    assert {"raise_cash", "raise_loan", "pay_in", "reduce"} <= actions(found[""])
    assert actions(found["perps"]) == {"pay_in", "reduce"}
    met = {
        venue: sum(call.outcome == "met" for call in trace.calls["perps"])
        for venue, trace in found.items()
    }
    assert met["perps"] < met[""]


def test_cut_at_the_lender_nobody_borrows_there_and_others_sell_on(passes):
    found, _ = passes
    assert actions(found["bank"]) == {"raise_cash", "pay_in", "reduce"}
    debt = [trace.blocks[-1].venues["bank"].states[1].total_debt for trace in found.values()]
    assert debt[0] > debt[2]


def test_where_nobody_sells_or_borrows_there_is_no_such_link(small):
    settings = [f"population.traders.response.{setting}" for setting in EVERYBODY_PAYS]
    scenario, engine = small(*settings), default_engine()
    try:
        stage = Stage(scenario, 3, engine)
        assert not [link for link in links_of(scenario, stage.world) if link.channel == "holder"]
        cut = stage.play(Cuts(frozenset({Link("perps", "holder")})))
        assert cut.digest == stage.play(UNCUT).digest
    finally:
        engine.close()
