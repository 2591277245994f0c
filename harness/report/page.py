"""The page of a run: every section in order."""

from __future__ import annotations

from harness import __version__
from harness.report.accounts import health, largest_positions, margin_calls
from harness.report.background import (
    assumptions,
    glossary,
    limitations,
    manifest,
    setting,
    sources,
)
from harness.report.contagion import cascade_tree, connected, loss_flow, network
from harness.report.data import Run
from harness.report.exchanges import exchanges
from harness.report.frame import frame
from harness.report.outcome import insolvency, story
from harness.report.participants import liquidators, transactions
from harness.report.prices import prices
from harness.report.suppliers import ran, suppliers
from harness.report.vaults import vaults
from harness.report.waterfall import waterfall
from harness.report.waves import waves

_SECTIONS = (
    story,
    prices,
    waves,
    insolvency,
    network,
    cascade_tree,
    loss_flow,
    waterfall,
    health,
    margin_calls,
    exchanges,
    suppliers,
    vaults,
    liquidators,
    transactions,
    largest_positions,
    setting,
    assumptions,
    limitations,
    sources,
    glossary,
    manifest,
)


def render(run: Run) -> str:
    """The page of a run; the same run gives the same page."""
    made = run.manifest
    absent = [network] if not connected(run) else []
    absent += [exchanges] if not run.exchanges else []
    absent += [suppliers] if not ran(run) else []
    absent += [vaults] if not run.summary.get("vaults") else []
    absent += [waterfall] if not run.summary.get("waterfall") else []
    shown = [section for section in _SECTIONS if section not in absent]
    return frame(
        run.name,
        "liquidation report",
        f"Scenario {made['scenario']}, seed {made['seed']}, on {made['engine']}",
        [section(run) for section in shown],
        skip="Skip to what happened",
        footer=f"Written by harness {__version__} from the tables of the run directory. Every "
        "amount was read from contract state or events on the chain.",
    )
