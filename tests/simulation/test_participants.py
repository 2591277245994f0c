"""The conformance kit of agents for everybody who takes part in liquidation modules."""

from __future__ import annotations

import dataclasses

import pytest

from harness.agents.participants import participant
from harness.scenario import (
    AbsorbAndSell,
    Bid,
    Buyer,
    Depositor,
    DutchAuctions,
    EnglishAuctions,
    LinearCurve,
    StabilityDeposits,
    Trigger,
)
from harness.testing.agent_conformance import AgentConformance

pytestmark = pytest.mark.slow

FREE = Bid(base_gwei=0)

DESIGNS = {
    "dutch": DutchAuctions(
        LinearCurve(1200), flat_incentive_usd=20, dust_usd=100, reset_after_s=600
    ),
    "english": EnglishAuctions(largest_lot=4, bid_duration_s=60, auction_duration_s=600),
    "absorption": AbsorbAndSell("USDX"),
    "pool": StabilityDeposits("ETH", "USDX"),
}


def taking_part(small, name):
    """Accounts that fall one after another, and everybody who has a part in the design."""
    common = {"max_transactions": 10, "bid": FREE, "fee_deposit": 1e6}
    agents = [Trigger("trigger", "market", **common)]
    if name == "pool":
        agents.append(
            Depositor("depositor", "market", 5000.0, min_gain_usd=1, bid=FREE, fee_deposit=1e6)
        )
    else:
        agents.append(Buyer("buyer", "market", (("USDX", 1e6),), **common))
    return small.scenario(
        blocks=60,
        seconds=20,
        prices=[(block, 1000.0 * 0.995**block) for block in range(60)],
        positions=[(5.0, 3900.0), (5.0, 3700.0), (9.0, 6000.0)],
        market={"liquidation": DESIGNS[name]},
        agents=(*agents, small.arbitrageur()),
        expect="liquidations",
    )


@pytest.mark.parametrize(
    ("design", "kind"),
    [
        ("dutch", Trigger),
        ("dutch", Buyer),
        ("english", Trigger),
        ("english", Buyer),
        ("absorption", Trigger),
        ("absorption", Buyer),
        ("pool", Trigger),
        ("pool", Depositor),
    ],
)
class TestParticipant(AgentConformance):
    @pytest.fixture
    def scenario(self, small, design):
        return taking_part(small, design)

    @pytest.fixture
    def make_agent(self, scenario, kind):
        (spec,) = scenario.agents_of(kind)
        return lambda context: participant(dataclasses.replace(spec), 0, context)
