"""Names that are taken: accounts of the set-up, of venues, and those under which others order."""

from __future__ import annotations

import re

import pytest

from harness.accounts import account
from harness.errors import ScenarioError
from harness.run import set_up
from harness.scenario import load_scenario

SEED = 1

LENDING = "black-thursday"
TAKEN = "another name: the set-up has an account of this one"


def refused(scenario: str, *overrides: str) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(scenario, overrides)
    return caught.value


@pytest.mark.parametrize(
    ("scenario", "name"),
    [
        (LENDING, "guarantor"),
        (LENDING, "aave-supplier-DAI"),
        ("curated-vaults", "share-market-supplier-USDC"),
        ("curated-vaults", "eth-market-fee-recipient"),
        ("curated-vaults", "prime-curator"),
        ("curated-vaults", "prime-depositors"),
    ],
)
def test_nobody_has_the_account_of_a_venue_or_of_the_set_up(scenario, name):
    """A population of that name would own what the set-up has down for somebody else."""
    for array in ("population", "agent"):
        error = refused(scenario, f"{array}[0].name={name}")
        assert (error.field, error.value, error.allowed) == (f"{array}[0].name", name, TAKEN)


@pytest.mark.parametrize("scenario", [LENDING, "curated-vaults", "adl-october", "perp-cascade"])
def test_the_accounts_that_venues_name_are_those_of_the_set_up(scenario):
    """Every name that a venue keeps for itself is that of somebody who holds something there."""
    loaded = load_scenario(scenario)
    _, world = set_up(loaded, SEED)
    holders = set(world.holders)
    named = {name for venue in loaded.venues for name in venue.accounts}
    for venue in loaded.venues:
        supplied = {each.symbol: each.supplied for each in getattr(venue, "assets", ())}
        named -= {venue.supplier(symbol) for symbol, held in supplied.items() if not held}
    assert named
    for name in sorted(named):
        assert account(name).address in holders, name


@pytest.mark.parametrize("name", ["borrowers-aave", "holders-aave", "traders-eth-dai"])
def test_nobody_orders_under_the_name_of_those_who_answer_for_called_accounts(name):
    error = refused(LENDING, f"agent[0].name={name}", "agent[0].count=1")
    assert (error.field, error.value) == ("agent[0].name", name)
    told = rf"another name: {name} is who answers for the called \w+ of .*"
    assert re.fullmatch(told, error.allowed)


def test_one_of_several_has_no_name_that_another_agent_has():
    """Orders wait under agent and matter: of two agents with one name the later would raise the
    bid of the other's order and send none of its own."""
    agents = load_scenario(LENDING).agents
    first, second = agents[0].name, "agent[1].name"
    error = refused(LENDING, "agent[0].count=3", f"{second}={first}-2", "agent[1].count=1")
    assert (error.field, error.value) == ("agent[0].name", first)
    assert error.allowed == f"another name: {first}-2 is the name of agent[1]"
    load_scenario(LENDING, ["agent[0].count=2", f"{second}={first}-2", "agent[1].count=1"])
    load_scenario(LENDING, ["agent[0].count=3", f"{second}={first}-02", "agent[1].count=1"])
