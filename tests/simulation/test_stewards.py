"""A guardian and a governor whose transactions have to reach their block like anybody's."""

from __future__ import annotations

import pytest

from harness.scenario import Bid, Governor, Guardian, Outages


def sent(trace, agent: str):
    return [row for row in trace.transactions if row.agent == agent]


def is_paused(history) -> bool:
    return history.world.venues["market"].market.read(history.engine, "paused")


@pytest.fixture
def guarded(small):
    """A fall of 20% in block 2, called off by a guardian for 60 s, of blocks of 10 s."""

    def make(guardian: dict | None = None, **changes):
        steward = Guardian(
            "guardian",
            "market",
            "ETH",
            **{"fall_bps": 1500, "pause_s": 60, "window_s": 300, **(guardian or {})},
        )
        return small.scenario(
            **{
                "blocks": 20,
                "prices": ((0, 1000.0), (1, 800.0)),
                "positions": ((1.0, 700.0),),
                "agents": (small.liquidator(), steward),
                **changes,
            }
        )

    return make


def test_a_guardian_pauses_and_opens(guarded, passes) -> None:
    history = passes(guarded())
    trace = history.simulate()
    assert [(row.block, row.key, row.status) for row in sent(trace, "guardian")] == [
        (3, "True", "succeeded"),
        (9, "False", "succeeded"),
    ]
    assert not is_paused(history)
    # in blocks 3 and 9 the liquidator may come before or after the guardian
    assert all(row.block == 3 or row.block >= 9 for row in trace.liquidations)


def test_a_guardian_that_is_outbid_asks_again_to_open(guarded, passes) -> None:
    """The background bid is above the guardian's from block 5 to 14: its first requests to open
    expire, and the market must not stay closed for good."""
    history = passes(
        guarded(
            {"bid": Bid(base_gwei=10)},
            space={"background_bid_gwei": ((0, 5.0), (50, 50.0), (150, 5.0)), "expiry_blocks": 2},
        )
    )
    trace = history.simulate()
    rows = sent(trace, "guardian")
    assert [row.key for row in rows[:1]] == ["True"]
    assert {row.status for row in rows[1:-1]} == {"expired"}
    assert (rows[-1].key, rows[-1].status) == ("False", "succeeded")
    assert rows[-1].block >= 15
    assert not is_paused(history)


def test_a_guardian_whose_pause_never_entered_has_paused_nothing(guarded, passes) -> None:
    history = passes(
        guarded(
            {"bid": Bid(base_gwei=10)},
            space={"background_bid_gwei": ((0, 50.0), (80, 5.0)), "expiry_blocks": 1},
        )
    )
    trace = history.simulate()
    done = [(row.key, row.status) for row in sent(trace, "guardian")]
    assert done[0] == ("True", "expired")
    # nothing to open before it has paused, and nothing reverts
    assert ("False", "expired") not in done[: done.index(("True", "succeeded"))]
    assert {status for _, status in done} == {"expired", "succeeded"}


def test_a_guardian_that_is_out_opens_late(guarded, passes) -> None:
    history = passes(guarded({"outages": Outages(windows=((50, 140),))}))
    rows = sent(history.simulate(), "guardian")
    assert [(row.block, row.key) for row in rows] == [(3, "True"), (15, "False")]
    assert not is_paused(history)


def test_a_governor_follows_the_fall_and_goes_back(small, passes) -> None:
    steward = Governor("governor", "market", "ETH", steps=((1000, 8500),), window_s=60)
    history = passes(
        small.scenario(
            blocks=16,
            prices=((0, 1000.0), (1, 880.0)),
            positions=((1.0, 400.0),),
            agents=(steward,),
        )
    )
    trace = history.simulate()
    rows = sent(trace, "governor")
    # the feed shows the fall after block 2, and the high of block 1 is 60 s old after block 7
    assert [(row.block, row.status) for row in rows] == [(3, "succeeded"), (9, "succeeded")]
    assert history.world.venues["market"].thresholds_bps == (8000, 0)


def test_a_waiting_guardian_bids_more_where_its_bid_rises(guarded, passes) -> None:
    history = passes(
        guarded(
            {"bid": Bid(base_gwei=12, escalation_bps=1000)},
            space={"background_bid_gwei": ((0, 15.0),), "expiry_blocks": 20},
        )
    )
    rows = sent(history.simulate(), "guardian")
    assert [(row.key, row.available, row.block) for row in rows] == [
        ("True", 3, 6),
        ("False", 9, 12),
    ]
