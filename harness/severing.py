"""What a run without some of its links does beside the run.

Its transactions stay outside the digest: a link that carries nothing can be cut without a trace.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.accounts import account
from harness.agents.base import Agent
from harness.cuts import Cuts
from harness.engine.base import Transaction
from harness.feeds import MAX_UINT
from harness.orders import Order
from harness.people import ADMIN, GUARANTOR, KEEPER, MINTER, SEEDER
from harness.protocols.curated_vault import VaultHandle
from harness.scenario import Liquidator, Scenario, base_units
from harness.world import World

#: A market's books hold no more; interest can make a vault's part of them any multiple of deposits.
_MAX_CLAIM = (1 << 128) - 1


class Severing:
    """Keeps links cut for one pass."""

    def __init__(
        self, world: World, scenario: Scenario, cuts: Cuts, agents: Sequence[Agent]
    ) -> None:
        self._world = world
        self._scenario = scenario
        self._cuts = cuts
        self._relayed = [
            (relay, cuts.rounds[name])
            for venue in cuts.venues("oracle")
            for name, relay in world.relays.get(venue, {}).items()
        ]
        #: vaults to be made whole, with the number of the strategy that lends to a cut market
        self._covered = [
            (vault, number)
            for vault in world.vaults.values()
            for number, market in enumerate(vault.markets)
            if cuts.has(market, "claims")
        ]
        apart = cuts.venues("block-space")
        self._lanes = {
            agent.name: venue for agent in agents if (venue := getattr(agent, "venue", "")) in apart
        }

    def opening(self) -> tuple[Transaction, ...]:
        """The transactions of block 0."""
        world, router = self._world, self._world.router
        origins = {name: venue.origins for name, venue in world.venues.items()}
        origins |= {name: exchange.origins for name, exchange in world.exchanges.items()}
        sent = [router.transaction(ADMIN, "setCutAll", True)] if self._cuts.every_sale else []
        sent += [
            router.transaction(ADMIN, "setCut", origin, True)
            for venue in self._cuts.venues("price")
            for origin in origins.get(venue, ())
        ]
        for venue in self._cuts.venues("liquidator"):
            for spec in self._scenario.agents_of(Liquidator):
                if venue in spec.serves and len(spec.serves) > 1:
                    sent += self._fund(spec, venue)
        for vault in dict.fromkeys(vault.spec.name for vault, _ in self._covered):
            sent += self._underwrite(world.vaults[vault])
        return (*sent, *self.before(0))

    def before(self, index: int) -> tuple[Transaction, ...]:
        """The transactions ahead of all others in a block: what the cut feeds say from now on."""
        return tuple(
            relay.transaction(KEEPER, "pin", round_id, answer, updated_at)
            for relay, rounds in self._relayed
            if index == 0 or rounds[index] != rounds[index - 1]
            for answer, round_id, updated_at in (rounds[index],)
        )

    def after(self) -> tuple[Transaction, ...]:
        """The transactions behind all others in a block: losses made good to vaults."""
        return tuple(
            vault.vault.transaction(GUARANTOR, "cover", number, MAX_UINT)
            for vault, number in self._covered
        )

    def _underwrite(self, handle: VaultHandle) -> list[Transaction]:
        """Gives the guarantor all that a vault can lose, and sends its redemptions to the sink."""
        world, vault = self._world, handle.vault
        token = world.tokens[handle.spec.asset]
        return [
            token.transaction(MINTER, "mint", GUARANTOR, _MAX_CLAIM),
            token.transaction(GUARANTOR, "approve", vault.address, MAX_UINT),
            world.router.transaction(ADMIN, "setCutShare", vault.address, True),
        ]

    def lane(self, order: Order) -> str:
        """The venue whose own block space an order uses; empty for the one that all share."""
        return self._lanes.get(order.agent, "")

    def _fund(self, spec: Liquidator, venue: str) -> list[Transaction]:
        """Gives each of these liquidators as much again, for one venue alone."""
        world, sent = self._world, []
        asset = self._scenario.block_space.fee_asset
        deposit = base_units(spec.fee_deposit, world.decimals[asset])
        for index in range(spec.count):
            owner = account(spec.purse(venue), index).address
            for symbol, amount in spec.capital:
                token, units = world.tokens[symbol], base_units(amount, world.decimals[symbol])
                if units:
                    sent.append(token.transaction(MINTER, "mint", owner, units))
                executor = world.liquidation_executor.address
                sent.append(token.transaction(owner, "approve", executor, MAX_UINT))
            if deposit:
                fee_token, ledger = world.tokens[asset], world.fee_ledger
                sent += [
                    fee_token.transaction(MINTER, "mint", SEEDER, deposit),
                    fee_token.transaction(SEEDER, "approve", ledger.address, MAX_UINT),
                    ledger.transaction(SEEDER, "deposit", owner, deposit),
                ]
        return sent
