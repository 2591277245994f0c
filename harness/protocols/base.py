"""What a lending protocol must offer to be deployed, driven and checked here: four methods.

An adapter translates. It holds no money and no books of its own: what it returns is read from the
chain, and what it is asked to do it turns into a transaction. `LendingMarket` in
``harness.testing`` drives one by hand, ``harness.testing.stateful`` at random, and
``harness.testing.protocol_conformance`` says whether it is right. Compiled contracts from Foundry,
Hardhat or solc are read with `harness.contracts.load_artifact`.

Amounts are base units of a token, indexes RAY (1e27), prices USD WAD (1e18) per whole token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from harness.contracts import Contract
from harness.engine.base import Engine, Transaction
from harness.setup import Setup

__all__ = [
    "ALL",
    "RAY",
    "Action",
    "ActionKind",
    "AssetBooks",
    "AssetPosition",
    "LendingAdapter",
    "Listing",
]

RAY = 10**27

ALL = (1 << 256) - 1
"""An action's amount: whatever there is."""

ActionKind = Literal["supply", "withdraw", "borrow", "repay", "liquidate"]


class Listing(NamedTuple):
    """An asset to list.

    Attributes:
        symbol: its name here.
        token: an ERC-20.
        decimals: of the token, at most 18.
        feed: a Chainlink-style USD feed of 8 decimals (``PushFeed``); it has an answer.

    """

    symbol: str
    token: Contract
    decimals: int
    feed: Contract


class Action(NamedTuple):
    """What an account wants to do. Assets are places in the list of listings.

    Attributes:
        kind: what.
        sender: who sends the transaction, pays what is paid and receives what is paid out.
        account: whose position it is; other than the sender's in a liquidation only.
        asset: what is supplied, withdrawn, borrowed or repaid; in a liquidation the debt repaid.
        amount: of that asset, in base units, or `ALL`.
        collateral: what a liquidation seizes.

    """

    kind: ActionKind
    sender: bytes
    account: bytes
    asset: int
    amount: int
    collateral: int = 0


class AssetBooks(NamedTuple):
    """One asset's books at the last block, interest included.

    A protocol that keeps no reserves of its own states what is left over,
    ``cash + debt + deficit - claims``. One without indexes leaves them at 1; then, and where
    balances are shares, ``scaled_*`` are in whatever unit `AssetPosition` has them.

    Attributes:
        cash: what the protocol counts as its own holding of the token.
        claims: what it owes to suppliers, collateral included.
        debt: what borrowers owe it.
        scaled_claims: the total that the accounts' ``scaled_claims`` sum to.
        scaled_debt: the total that the accounts' ``scaled_debt`` sum to.
        threshold_bps: share of its value that counts as collateral before liquidation.
        reserves: the protocol's own part.
        deficit: debt written off and not yet covered.
        supply_index: RAY.
        borrow_index: RAY.

    """

    cash: int
    claims: int
    debt: int
    scaled_claims: int
    scaled_debt: int
    threshold_bps: int
    reserves: int = 0
    deficit: int = 0
    supply_index: int = RAY
    borrow_index: int = RAY


class AssetPosition(NamedTuple):
    """An account's part in one asset at the last block.

    Attributes:
        claims: what it could withdraw if there were cash, interest included, base units.
        debt: what it would take to repay everything, interest included, base units.
        scaled_claims: the balance as the protocol stores it.
        scaled_debt: likewise.

    """

    claims: int
    debt: int
    scaled_claims: int
    scaled_debt: int


class LendingAdapter(Protocol):
    """A lending protocol, deployed once by each adapter object."""

    def deploy(self, setup: Setup, listings: Sequence[Listing]) -> Sequence[Contract]:
        """Writes down the deployment with these assets.

        Returns:
            The contracts that hold the protocol's tokens; accounts approve all of them.

        """

    def act(self, action: Action) -> Transaction | None:
        """The transaction an account sends for this; None where the protocol has no such thing."""

    def books(self, engine: Engine) -> Sequence[AssetBooks]:
        """Every asset's books, in the order of the listings."""

    def positions(
        self, engine: Engine, accounts: Sequence[bytes]
    ) -> Sequence[Sequence[AssetPosition]]:
        """For each account its part in every asset, in the order of the listings."""
