"""Every invariant that a run may check, with its sentence."""

from __future__ import annotations

from collections.abc import Mapping

from harness.testing.clearing_invariants import CLEARING_INVARIANTS
from harness.testing.invariants import INVARIANTS
from harness.testing.isolated_invariants import ISOLATED_INVARIANTS
from harness.testing.module_invariants import MODULE_INVARIANTS
from harness.testing.oracle_invariants import ORACLE_INVARIANTS
from harness.testing.perp_invariants import PERP_INVARIANTS
from harness.testing.vault_invariants import CURATED_INVARIANTS

__all__ = ["SENTENCES"]

SENTENCES: Mapping[str, str] = {
    **INVARIANTS,
    **ISOLATED_INVARIANTS,
    **MODULE_INVARIANTS,
    **ORACLE_INVARIANTS,
    **PERP_INVARIANTS,
    **CLEARING_INVARIANTS,
    **CURATED_INVARIANTS,
}
"""Each invariant's sentence, by ID."""
