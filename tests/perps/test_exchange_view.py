"""What the view finds from cached words is what the chain says, account by account."""

from __future__ import annotations

import numpy as np
import pytest

from harness.cuts import UNCUT
from harness.engine import open_engine
from harness.exchange_view import ExchangeState
from harness.metrics.exchanges import CALL, PerpTerms
from harness.protocols.perp_exchange import NO_MARGIN, UNPRICED
from harness.run import Stage

WAD = 10**18


class Checked:
    """Compares every state of a run with exact reads of every account."""

    def __init__(self) -> None:
        self.unhealthy = self.called = self.blocks = 0
        self.worst = 0.0

    def check(self, state: ExchangeState) -> None:
        venue = state.venue
        everyone = range(len(venue.accounts))
        exact = state.worth(everyone)
        scan = venue.scan(state.states, state.prices)
        for found, field in (
            (scan.equity, "equity"),
            (scan.full_equity, "full_equity"),
            (scan.call_margin, "call_margin"),
            (scan.maintenance_margin, "maintenance_margin"),
        ):
            off = np.abs(found - np.array([float(getattr(worth, field)) for worth in exact]))
            self.worst = max(self.worst, float((off / scan.doubt).max()))
        below = {
            number
            for number, worth in enumerate(exact)
            if worth.ratio < WAD and worth.ratio not in (NO_MARGIN, UNPRICED)
        }
        assert set(state.unhealthy_since) == below
        called = {number for number in everyone if venue.called_at(number)}
        assert called == set(state.calls.open)
        callable_ = {n for n, worth in enumerate(exact) if worth.equity < worth.call_margin}
        assert set(state.callable) == callable_ - called
        assert set(state.restored) == called - callable_
        for quote in state.quotes(10_000):
            assert quote.account in below
        self.unhealthy += len(below)
        self.called += len(called)
        self.blocks += 1


def test_scans_find_what_the_chain_says_in_every_block(small, monkeypatch) -> None:
    checked = Checked()
    kept = ExchangeState.update

    def update(self, index, receipts):
        touched = kept(self, index, receipts)
        checked.check(self)
        return touched

    monkeypatch.setattr(ExchangeState, "update", update)
    engine = open_engine("revm")
    try:
        Stage(small("clock.blocks=30"), 3, engine).play(UNCUT)
    finally:
        engine.close()
    assert checked.blocks == 30
    assert checked.unhealthy > 10
    assert checked.called > 20
    assert checked.worst < 1, "what the scan takes for exact enough to decide is not"


def test_terms_judge_accounts_as_the_chain_does(small) -> None:
    """Exactly in integers, and to about 15 digits over a series of prices."""
    engine = open_engine("revm")
    found = {WAD: 0, CALL: 0}
    try:
        stage = Stage(small("clock.blocks=16"), 3, engine)
        stage.play(UNCUT, keep=True)
        venue = stage.world.exchanges["perps"]
        state = ExchangeState(venue, engine)
        state.update(0, [])
        scales = tuple(market.margin_scale_bps for market in state.states)
        terms = PerpTerms.of(venue).in_force(scales)
        prices = state.venue_prices()
        for number, worth in enumerate(state.worth(range(len(venue.accounts)))):
            position = venue.position_words(number, state.states)
            if not any(terms.held(position)):
                continue
            series = [np.full(2, float(price)) for price in prices]
            for level, margin in ((WAD, worth.maintenance_margin), (CALL, worth.call_margin)):
                below = worth.equity < margin
                assert terms.is_below(position, prices, level) == below
                if abs(worth.equity - margin) > 1_000:
                    assert terms.below(position, series, level).tolist() == [below, below]
                found[level] += below
    finally:
        engine.close()
    assert found[CALL] >= 1


def test_a_refused_feed_judges_nobody(small) -> None:
    """A price that the exchange refuses is no reason to call or liquidate; it stays so until the
    feed is accepted again."""
    engine = open_engine("revm")
    try:
        scenario = small(
            "clock.blocks=30",
            "asset.ETH.feed.max_age_s=120",
            "asset.ETH.feed.heartbeat_s=60",
            "asset.ETH.feed.outages={windows=[[90, 900]]}",
        )
        trace = Stage(scenario, 3, engine).play(UNCUT)
    finally:
        engine.close()
    refused = [b.index for b in trace.blocks if b.exchanges["perps"].prices[0] == 0]
    assert len(refused) > 5
    assert all(trace.blocks[i].exchanges["perps"].unhealthy == 0 for i in refused)
    stuck = [r for r in trace.transactions if r.action == "liquidate_perp" and r.block in refused]
    assert all(row.status == "reverted" for row in stuck)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_run(play, seed: int) -> None:
    first, second = (play("clock.blocks=15", seed=seed).summary["digest"] for _ in range(2))
    assert first == second
