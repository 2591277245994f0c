"""An exchange's part of the loss ledger: who holds what of its tokens, and what is not yet paid.

The exchange's tokens are claims: the accounts' cash and collateral, the vault's cash, the fees,
less the deficit. What is left after all of them is its own, which is nothing (PRP-1, PRP-5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from harness.protocols.perp_exchange import NO_EQUITY, PerpCensus, PerpVenue, halves
from harness.trace import BlockRow, Trace

INSURANCE, VAULT, FEES, DEFICIT = "insurance fund", "vault", "exchange fees", "exchange deficit"
BOOKS, DUST = "exchange books", "exchange dust"

Role = tuple[str, str]


def exchange_roles(venue: PerpVenue) -> dict[bytes, Role]:
    """Whose an address is: traders by their population or agent, and the exchange's own."""
    roles: dict[bytes, Role] = {
        trader.owner: (venue.name, trader.group) for trader in venue.traders
    }
    roles[venue.provider] = (venue.name, VAULT)
    roles[venue.vault.address] = (venue.name, VAULT)
    roles[venue.exchange.address] = (venue.name, BOOKS)
    return roles


def claim_changes(
    run: Trace, venue: PerpVenue, roles: Mapping[bytes, Role]
) -> Iterator[tuple[Role, str, int]]:
    """What each role's claims on the exchange changed by, by asset; all of an asset add up to
    zero."""
    before = _claims(run.exchange_opening[venue.name], run.blocks[0], venue, roles)
    after = _claims(run.exchange_closing[venue.name], run.blocks[-1], venue, roles)
    for key in dict.fromkeys((*before, *after)):
        change = after.get(key, 0) - before.get(key, 0)
        if change:
            yield key[0], key[1], change
            yield (venue.name, BOOKS), key[1], -change


def _claims(
    census: PerpCensus, block: BlockRow, venue: PerpVenue, roles: Mapping[bytes, Role]
) -> dict[tuple[Role, str], int]:
    found: defaultdict[tuple[Role, str], int] = defaultdict(int)
    first = 1 + 2 * len(venue.markets)
    for number, word in enumerate(census.accounts):
        row = census.row(number)
        role = _role(word, venue, roles)
        found[role, venue.settlement] += halves(row[0])[0]
        for symbol, amount in zip(venue.collaterals, row[first:], strict=True):
            found[role, symbol] += amount
    books = block.exchanges[venue.name].books
    found[(venue.name, VAULT), venue.settlement] += books.vault_cash
    found[(venue.name, FEES), venue.settlement] += books.fees
    found[(venue.name, DEFICIT), venue.settlement] -= books.deficit
    return found


def _role(word: bytes, venue: PerpVenue, roles: Mapping[bytes, Role]) -> Role:
    if word == venue.insurance:
        return venue.name, INSURANCE
    return roles.get(word[:20], (venue.name, "others"))


def unpaid_changes(run: Trace, venue: PerpVenue, roles: Mapping[bytes, Role]) -> dict[str, int]:
    """What each role's unrealised profit changed by (settlement units): the traders' against the
    vault's, with what rounding leaves between them; they add up to zero. Empty where a feed is
    refused at either end."""
    found: defaultdict[str, int] = defaultdict(int)
    ends = (
        (run.exchange_opening[venue.name], run.blocks[0], -1),
        (run.exchange_closing[venue.name], run.blocks[-1], 1),
    )
    for census, block, sign in ends:
        state = block.exchanges[venue.name]
        if state.books.vault_equity == NO_EQUITY or 0 in state.prices:
            return {}
        total = state.books.vault_equity - state.books.vault_cash
        found[VAULT] += sign * total
        for word, worth in zip(census.accounts, census.worth, strict=True):
            found[_role(word, venue, roles)[1]] += sign * worth.unrealised
            total += worth.unrealised
        found[DUST] -= sign * total
    return dict(found)
