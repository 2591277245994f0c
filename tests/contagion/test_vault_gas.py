"""VAULT_GAS and SHARE_GAS measured: every action around a vault of two strategies, and around a
pool of its shares, on py-evm."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from harness.engine import open_engine
from harness.orders import SHARE_GAS, VAULT_GAS
from harness.recorder import Recorder
from harness.run import run
from harness.scenario import load_scenario

#: A market that lends another asset than the vault's: what redemption brings is sold in a pool.
THIRD_MARKET = """
[[venue]]
kind = "pool"
name = "eth-usdx"
base = "ETH"
quote = "USDX"
base_reserve = 1_000

[[venue]]
kind = "pooled-lending"
name = "gamma"

[[venue.asset]]
symbol = "vUSDX"
ltv_bps = 8900
liquidation_threshold_bps = 9000
liquidation_bonus_bps = 500

[[venue.asset]]
symbol = "ETH"
supplied = 1_000

[[population]]
kind = "positions"
name = "gamma-users"
venue = "gamma"

[[population.position]]
supplied = {vUSDX = 50_000}
borrowed = {ETH = 21}

[[agent]]
kind = "liquidator"
name = "bot3"
venue = "gamma"
capital = {ETH = 1_000}
bid = {base_gwei = 0}
"""

#: Somebody who leaves, and a curator.
LEAVING = """
[[agent]]
kind = "vault-depositor"
name = "runner"
vault = "prime"
shares = 500_000
loss_bps = 1
latency_blocks = 3
bid = {base_gwei = 0}

[[agent]]
kind = "curator"
name = "curator"
vault = "prime"
loss_bps = 1
reallocates = true
latency_blocks = 1
bid = {base_gwei = 0}
"""

#: A pool of the shares, and those who trade in it.
TRADING = """
[[venue]]
kind = "pool"
name = "shares"
base = "vUSDX"
quote = "USDX"
base_reserve = 100_000
fee_pips = 400

[[agent]]
kind = "share-arbitrageur"
name = "arbitrageur"
pool = "shares"
cash = 1_000_000
holding_discount_bps = 500
latency_blocks = 2
bid = {base_gwei = 0}

[[agent]]
kind = "vault-depositor"
name = "runner"
vault = "prime"
shares = 450_000
loss_bps = 1
sale_discount_bps = 2_000
latency_blocks = 3
bid = {base_gwei = 0}
"""

VAULT_FALL = ("clock.blocks=24", "venue.alt-usdx.fee_pips=3000")
VAULT_RUNS = (
    VAULT_FALL,
    (*VAULT_FALL, "agent.curator.loss_bps=10000"),
    # nobody fetches cash beforehand, and it takes both markets to pay the one who leaves
    (
        *VAULT_FALL,
        "agent.curator.latency_blocks=20",
        "venue.prime.market=[{venue='eth', supplied=300_000}, {venue='alt', supplied=600_000}]",
    ),
)

SHARE_FALL = ("clock.blocks=16", "venue.alt-usdx.fee_pips=3000")
SHARE_RUNS = (
    # a liquidator's shares go both ways, and what they bring is sold on
    (*SHARE_FALL, "agent.bot3.bid.base_gwei=9"),
    # an arbitrageur is first at the pool that has not heard of the loss
    (*SHARE_FALL, "agent.arbitrageur.latency_blocks=0", "agent.arbitrageur.bid.base_gwei=9"),
    # the vault has next to nothing to pay with
    (
        "clock.blocks=26",
        "asset.ALT.price.points=[[36, 1.0]]",
        "venue.prime.market=[{venue='alt', supplied=600_000}, {venue='eth', supplied=1_000}]",
        "venue.alt.supplied=0",
        "population.alt-users.position=[{supplied={ALT=52_000}, borrowed={USDX=440_000}},"
        "{supplied={ALT=40_000}, borrowed={USDX=160_000}}]",
        "agent.runner.liquidity_bps=9_000",
        "agent.runner.min_withdrawal=2_000",
        "agent.runner.shares=250_000",
    ),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "more", "runs"),
    [
        pytest.param(VAULT_GAS, LEAVING, VAULT_RUNS, id="vault"),
        pytest.param(SHARE_GAS, TRADING, SHARE_RUNS, id="shares"),
    ],
)
def test_declared_gas_is_the_most_that_was_used(table, more, runs, tmp_path, monkeypatch):
    used: dict[str, list[int]] = defaultdict(list)
    kept = Recorder.executed

    def counting(self, index, block, receipts, top, chosen):
        first = len(receipts) - len(chosen.included)
        for order, receipt in zip(chosen.included, receipts[first:], strict=True):
            used[order.action].append(receipt.gas_used)
        kept(self, index, block, receipts, top, chosen)

    monkeypatch.setattr(Recorder, "executed", counting)
    file = tmp_path / "vault.toml"
    base = (Path(__file__).parent / "vault.toml").read_text()
    file.write_text(base + THIRD_MARKET + more)
    for settings in runs:
        engine = open_engine("py-evm")
        try:
            run(load_scenario(str(file), settings), 5, engine)
        finally:
            engine.close()
    print({action: max(amounts) for action, amounts in used.items()})
    for action, declared in table.items():
        most = -(-max(used[action]) // 1000) * 1000
        assert most <= declared <= most * 1.02, (action, most)
