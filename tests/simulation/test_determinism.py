"""One scenario and one seed give one result, on every engine."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from harness.engine import open_engine
from harness.scenario import Bid, BoundedFeed, Outages, PoolSpotFeed, PoolTwapFeed, Response


def busy(small, *, blocks: int, positions: int, ordering: str = "fee-auction"):
    """Everybody acts: keepers with outages, two arbitrageurs, three liquidators that compete for
    too little block space, accounts that add cash and accounts that sell."""
    return small.scenario(
        blocks=blocks,
        seconds=60,
        prices=[(block, 1000.0 * 0.975**block + 3 * (block % 3)) for block in range(blocks)],
        usdx=((0, 1.0), (3, 1.004), (5, 0.999)),
        positions=[
            (2.0 + i, round((2.0 + i) * 800 / (1.01 + 0.03 * i), 2)) for i in range(positions)
        ],
        pool_base=500.0,
        pool_fee_pips=3000,
        external={"depth_2pct_usd": 2e5, "half_life_s": 600, "fee_pips": 1000},
        feed=small.feed(deviation_bps=30, outages=Outages(chance_bps=2000)),
        eth={"protocol_share_bps": 1000, "base_rate": 0.05},
        debt={"base_rate": 0.1, "reserve_factor_bps": 1000},
        market={"close_factor_bps": 5000, "full_close_health_factor": 0.95},
        response=Response(
            top_up_bps=3000,
            deleverage_bps=3000,
            call_health_factor=1.03,
            target_health_factor=1.1,
            latency_blocks=(1, 3),
            cash_bps=300,
        ),
        agents=(
            small.arbitrageur(count=2, bid=Bid(base_gwei=12)),
            small.liquidator(
                count=3,
                capital=(("USDX", 5_000.0),),
                max_transactions=2,
                bid=Bid(base_gwei=10, follow_bps=11_000, escalation_bps=1000),
                outages=Outages(chance_bps=1000, duration_blocks=2),
            ),
        ),
        space={
            "gas_limit": 1_100_000,
            "expiry_blocks": 2,
            "ordering": ordering,
            "background_bid_gwei": ((0, 5), (240, 11), (480, 8)),
        },
        expect="liquidations",
    )


def comparable(result) -> dict:
    return {
        name: value for name, value in result.summary.items() if name not in ("elapsed_s", "engine")
    }


@pytest.mark.parametrize("ordering", ["fee-auction", "random", "adversarial"])
def test_the_same_seed_gives_the_same_result(small, ordering) -> None:
    scenario = busy(small, blocks=24, positions=12, ordering=ordering)
    first, second = small.run(scenario, 7), small.run(scenario, 7)
    assert comparable(first) == comparable(second)
    for one, other in ((first.run, second.run), (first.twin, second.twin)):
        assert one.digest == other.digest
        assert one.transactions == other.transactions
        assert one.liquidations == other.liquidations
        assert one.blocks == other.blocks
    actions = {row.action for row in first.run.transactions}
    assert {"liquidate", "arbitrage", "top_up", "deleverage", "transmit"} <= actions
    assert {row.status for row in first.run.transactions} >= {"succeeded", "reverted", "expired"}
    assert first.run.digest != first.twin.digest


def test_another_seed_gives_another(small) -> None:
    scenario = busy(small, blocks=24, positions=12)
    assert small.run(scenario, 7).run.digest != small.run(scenario, 8).run.digest


def test_a_process_of_its_own_gives_the_same(small, tmp_path) -> None:
    """Hash seeds and import order differ; the result does not."""
    from harness.scenario import dump_scenario

    scenario = busy(small, blocks=12, positions=8)
    file = tmp_path / "busy.toml"
    file.write_text(dump_scenario(scenario))
    program = (
        "import sys; from harness.scenario import load_scenario; from harness.run import run; "
        "print(run(load_scenario(sys.argv[1]), 7).summary['digest'])"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, str(file)],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert digests == {small.run(scenario, 7).summary["digest"]}


def test_an_engine_that_has_run_before_leaves_nothing_behind(small) -> None:
    scenario = busy(small, blocks=8, positions=4)
    small.run(scenario, 3)
    again = small.run(scenario, 7)
    assert again.summary["digest"] == small.run(scenario, 7).summary["digest"]


# --- engines -------------------------------------------------------------------------------------


def test_revm_and_py_evm_agree(small) -> None:
    pytest.importorskip("pyrevm")
    scenario = busy(small, blocks=9, positions=5)
    fast, exact = small.run(scenario, 7, "revm"), small.run(scenario, 7, "py-evm")
    assert fast.setup_digests == exact.setup_digests
    assert [block.digest for block in fast.run.blocks] == [
        block.digest for block in exact.run.blocks
    ]
    assert fast.run.digest == exact.run.digest
    assert fast.twin.digest == exact.twin.digest
    assert comparable(fast) == comparable(exact)
    assert len(exact.run.liquidations) > 3


@pytest.fixture(scope="module")
def tiny(small):
    """Two accounts, one liquidation, one arbitrage, a spot feed."""
    return small.scenario(
        blocks=5,
        prices=((0, 1000.0), (1, 960.0)),
        positions=((1.0, 790.0), (1.0, 500.0)),
        feed=PoolSpotFeed("pool"),
        pool_base=100.0,
        agents=(small.arbitrageur(), small.liquidator(bid=Bid(base_gwei=1))),
        expect="liquidations",
    )


@pytest.fixture(scope="module")
def expected(small, tiny):
    result = small.run(tiny, 1, "py-evm")
    assert len(result.run.liquidations) == 1
    return result


def test_eth_tester_agrees(small, tiny, expected) -> None:
    result = small.run(tiny, 1, "eth-tester")
    assert result.run.digest == expected.run.digest
    assert result.twin.digest == expected.twin.digest
    assert comparable(result) == comparable(expected)


def _conformance():
    """The anvil that the engine tests start."""
    path = Path(__file__).parents[1] / "conformance" / "conftest.py"
    spec = importlib.util.spec_from_file_location("conformance_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_node_agrees(small, tiny, expected) -> None:
    nodes = _conformance()
    binary = nodes.find_anvil()
    if binary is None:
        pytest.skip(nodes.HOW_TO_GET_IT)
    anvil = nodes.Anvil(binary, *nodes.ANVIL_FLAGS)
    try:
        engine = open_engine(f"rpc:{anvil.url}")
        result = small.run(tiny, 1, engine)
        engine.close()
    finally:
        anvil.stop()
    assert result.run.digest == expected.run.digest
    assert result.twin.digest == expected.twin.digest
    assert comparable(result) == comparable(expected)


@pytest.mark.slow
def test_a_node_agrees_on_composed_feeds(small) -> None:
    """Its set-up lets time pass, as no other does."""
    nodes = _conformance()
    binary = nodes.find_anvil()
    if binary is None:
        pytest.skip(nodes.HOW_TO_GET_IT)
    within = (
        ("average", PoolTwapFeed("pool", window_s=60, granularity=3)),
        ("report", small.feed()),
    )
    scenario = small.scenario(
        blocks=6,
        prices=((0, 1000.0), (1, 960.0)),
        positions=((1.0, 790.0),),
        feed=BoundedFeed("average", "report", 300, within=within),
        pool_base=100.0,
        agents=(small.arbitrageur(), small.liquidator()),
    )
    expected = small.run(scenario, 1)
    anvil = nodes.Anvil(binary, *nodes.ANVIL_FLAGS)
    try:
        engine = open_engine(f"rpc:{anvil.url}")
        result = small.run(scenario, 1, engine)
        engine.close()
    finally:
        anvil.stop()
    assert result.run.digest == expected.run.digest
    assert result.twin.digest == expected.twin.digest
    assert result.run.liquidations
