"""Calls that an actor makes in one transaction, and the verbs most attacks are made of.

An argument may be an amount that is only known on chain, when the call is made: `all_of`,
`share_of` and `read_then`. What a flash loan is for is a list of calls inside a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from eth_hash.auto import keccak

from harness.contracts import Contract, artifact

__all__ = [
    "MAX",
    "Amount",
    "Call",
    "Located",
    "address_of",
    "all_of",
    "allowed_to_fail",
    "approve",
    "borrow",
    "call",
    "encoded",
    "flash_loan",
    "flash_swap",
    "liquidate",
    "pay",
    "read_then",
    "repay",
    "share_of",
    "supply",
    "swap",
    "transfer",
    "withdraw",
]

MAX = (1 << 256) - 1
BPS = 10_000
#: what an amount stands for until its offset is known: fits 112 bits, and nothing else is it
_MARKER = int.from_bytes(keccak(b"liquidation-harness/amount")[:13], "big")
_MARKER_WORD = _MARKER.to_bytes(32, "big")


class Located(Protocol):
    """Whatever has an address: an actor, a contract, an account."""

    @property
    def address(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Amount:
    """A word that ``source`` is asked for when the call is made, times a share in Bps."""

    source: bytes
    query: bytes
    share_bps: int = BPS


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an actor; see ``contracts/attacks/Actor.sol``."""

    to: bytes
    data: bytes
    may_fail: bool = False
    source: bytes = bytes(20)
    query: bytes = b""
    offset: int = 0
    share_bps: int = BPS

    def word(self) -> tuple[Any, ...]:
        """As the contract's struct."""
        return (
            self.to,
            self.may_fail,
            self.data,
            self.source,
            self.query,
            self.offset,
            self.share_bps,
        )


def address_of(where: Located | bytes) -> bytes:
    """An address, of whatever has one."""
    return where if isinstance(where, bytes) else where.address


def read_then(source: Contract, function: str, *args: Any, share_bps: int = BPS) -> Amount:
    """The first word that a view returns when the call is made, times a share."""
    return Amount(source.address, source.encode(function, *_plain(args)), share_bps)


def all_of(token: Contract, holder: Located | bytes) -> Amount:
    """All of a token that a holder has when the call is made."""
    return read_then(token, "balanceOf", holder)


def share_of(token: Contract, holder: Located | bytes, share_bps: int) -> Amount:
    """A share of a token that a holder has when the call is made."""
    return read_then(token, "balanceOf", holder, share_bps=share_bps)


def call(contract: Contract, function: str, *args: Any) -> Call:
    """A call by name. At most one argument may be an `Amount`; actors and contracts stand for their
    addresses.

    Raises ValueError if two amounts are only known on chain.
    """
    amounts: list[Amount] = []
    data = contract.encode(function, *_plain(args, amounts))
    if not amounts:
        return Call(contract.address, data)
    if len(amounts) > 1:
        raise ValueError(f"{function}: one amount of a call can be read on chain, not two")
    (amount,) = amounts
    return Call(
        contract.address,
        data,
        source=amount.source,
        query=amount.query,
        offset=data.index(_MARKER_WORD),
        share_bps=amount.share_bps,
    )


def allowed_to_fail(made: Call) -> Call:
    """The same call; if it reverts, the transaction goes on."""
    return replace(made, may_fail=True)


def encoded(calls: Sequence[Call]) -> bytes:
    """A list of calls as the data of a callback."""
    run = artifact("Actor").functions["reenter"]
    return run.encode([made.word() for made in calls])[4:]


def _plain(args: Sequence[Any], amounts: list[Amount] | None = None) -> tuple[Any, ...]:
    """Arguments as the codecs take them; amounts become the marker."""
    plain: list[Any] = []
    for value in args:
        if isinstance(value, Amount):
            if amounts is None:
                raise ValueError("an amount of an amount cannot be read on chain")
            amounts.append(value)
            plain.append(_MARKER)
        elif isinstance(value, tuple | list):
            plain.append(_plain(value, amounts))
        elif isinstance(value, int | bytes | str):
            plain.append(value)
        else:
            plain.append(value.address)
    return tuple(plain)


# --- verbs


def approve(token: Contract, spender: Located | bytes, amount: int = MAX) -> Call:
    """Lets a contract take the actor's tokens."""
    return call(token, "approve", spender, amount)


def transfer(token: Contract, to: Located | bytes, amount: int | Amount) -> Call:
    """Pays tokens; to a vault or a pool, it is a donation."""
    return call(token, "transfer", to, amount)


def swap(
    router: Contract, pool: Contract, sold: Contract, amount: int | Amount, to: Located | bytes
) -> Call:
    """Sells tokens into a pool, at whatever price it gives."""
    return call(router, "swapExactIn", pool, sold, amount, 0, to)


def pay(lender: Contract, token: Contract) -> Call:
    """Lets a flash loan be taken back."""
    return approve(token, lender)


def flash_loan(
    lender: Contract,
    borrower: Located,
    token: Contract,
    amount: int | Amount,
    calls: Sequence[Call],
) -> Call:
    """Borrows from a market for the time of some calls. The repayment is approved here."""
    what = encoded([*calls, pay(lender, token)])
    return call(lender, "flashLoan", borrower, token, amount, what)


def flash_swap(
    pool: Contract,
    borrower: Located,
    amount0: int,
    amount1: int,
    calls: Sequence[Call],
) -> Call:
    """Takes tokens out of a pool; the calls must have paid for them by their end."""
    return call(pool, "swap", amount0, amount1, borrower, encoded(calls))


def supply(market: Contract, token: Contract, amount: int | Amount, owner: Located | bytes) -> Call:
    """Supplies to a pooled market, as collateral too."""
    return call(market, "supply", token, amount, owner)


def withdraw(market: Contract, token: Contract, amount: int | Amount, owner: Located) -> Call:
    """Takes claims out of a pooled market; MAX for all."""
    return call(market, "withdraw", token, amount, owner, owner)


def borrow(market: Contract, token: Contract, amount: int | Amount, owner: Located) -> Call:
    """Borrows from a pooled market."""
    return call(market, "borrow", token, amount, owner, owner)


def repay(market: Contract, token: Contract, amount: int | Amount, owner: Located | bytes) -> Call:
    """Repays somebody's debt in a pooled market; MAX for all."""
    return call(market, "repay", token, amount, owner)


def liquidate(
    market: Contract,
    account: Located | bytes,
    collateral: Contract,
    debt: Contract,
    amount: int | Amount,
    to: Located,
) -> Call:
    """Liquidates somebody in a pooled market without a module; MAX for as much as it allows."""
    return call(market, "liquidate", account, collateral, debt, amount, False, to)
