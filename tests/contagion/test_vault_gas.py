"""VAULT_GAS measured: every action around a vault of two strategies, on py-evm."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from harness.engine import open_engine
from harness.orders import VAULT_GAS
from harness.recorder import Recorder
from harness.run import run
from harness.scenario import load_scenario

#: A market that lends another asset than the vault's: what is redeemed is sold in a pool, too.
MORE = """
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

FALL = ("clock.blocks=24", "venue.alt-usdx.fee_pips=3000")
RUNS = (
    FALL,
    (*FALL, "agent.curator.loss_bps=10000"),
    # nobody fetches cash beforehand, and it takes both markets to pay the one who leaves
    (
        *FALL,
        "agent.curator.latency_blocks=20",
        "venue.prime.market=[{venue='eth', supplied=300_000}, {venue='alt', supplied=600_000}]",
    ),
)


@pytest.mark.slow
def test_declared_gas_is_the_most_that_was_used(tmp_path, monkeypatch):
    used: dict[str, list[int]] = defaultdict(list)
    kept = Recorder.executed

    def counting(self, index, block, receipts, top, chosen):
        first = len(receipts) - len(chosen.included)
        for order, receipt in zip(chosen.included, receipts[first:], strict=True):
            used[order.action].append(receipt.gas_used)
        kept(self, index, block, receipts, top, chosen)

    monkeypatch.setattr(Recorder, "executed", counting)
    file = tmp_path / "vault.toml"
    file.write_text((Path(__file__).parent / "vault.toml").read_text() + MORE)
    for settings in RUNS:
        engine = open_engine("py-evm")
        try:
            run(load_scenario(str(file), settings), 5, engine)
        finally:
            engine.close()
    print({action: max(amounts) for action, amounts in used.items()})
    for action, declared in VAULT_GAS.items():
        most = -(-max(used[action]) // 1000) * 1000
        assert most <= declared <= most * 1.02, (action, most)
