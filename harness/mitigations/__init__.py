"""Remedies: each turns a scenario into the remedied one, by other parameters or other contracts.

A remedy is a change of data and nothing else, so that what it changes can be read, and a remedied
run is an ordinary run. Stacked remedies (``a+b``) apply in the order of their stages, whatever the
order in which they are named: what prices are read first, then what the market allows, then how it
liquidates, then who may stop it.
"""

from harness.mitigations.base import Mitigation, Stage
from harness.mitigations.registry import mitigation, mitigations, remedied

__all__ = ["Mitigation", "Stage", "mitigation", "mitigations", "remedied"]
