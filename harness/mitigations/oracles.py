"""Remedies in what prices a market reads, and how fresh they are."""

from __future__ import annotations

from dataclasses import replace

from harness.mitigations.base import Remedy, Stage
from harness.scenario import Asset, PushFeed, Scenario


def fresh_oracle(scenario: Scenario) -> Scenario:
    """Reports enter the next block, and every tenth of a percent is reported."""

    def fresh(asset: Asset) -> Asset:
        if not isinstance(asset.feed, PushFeed):
            return asset
        feed = replace(asset.feed, latency_blocks=0, latency_steps=(), deviation_bps=10)
        return replace(asset, feed=feed)

    return replace(scenario, assets=tuple(fresh(asset) for asset in scenario.assets))


REMEDIES = (
    Remedy(
        "fresh-oracle",
        "reports without latency, at every 0.1% of deviation",
        Stage.ORACLE,
        fresh_oracle,
    ),
)
