"""A deployed perpetual exchange: a cache of raw account words, and exact reads.

The cache is not a second set of books. It holds the words as the chain packs them, is refreshed for
every account an event names, and only finds candidates: whatever is acted on or reported is read
from the lens, in integers, for those candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.contracts import Contract, Words, read_words
from harness.engine.base import Engine, Log, Receipt
from harness.scenario import BPS, WAD, PerpExchange, PerpMarket
from harness.traders import Trader, account_word

Floats = NDArray[np.float64]

NO_MARGIN = (1 << 255) - 1
"""Margin ratio of an account that needs no margin and owes nothing."""
UNPRICED = NO_MARGIN - 1
"""Margin ratio where a feed the account needs is refused."""
NO_EQUITY = -(1 << 255)
"""Vault equity while a feed is refused."""

_HALF = 1 << 128
_TIGHT = 1e-9
"""Relative width of the band around a bound in which the chain decides, not the cache."""


class MarketState(NamedTuple):
    """One market at the last block (IPerpTypes.MarketState)."""

    index_wad: int
    mark_wad: int
    long_size: int
    short_size: int
    total_cost: int
    funding_index_wad: int
    funding_base: int
    funding_rate_wad: int
    premium_wad: int
    reference_wad: int
    variance_rate: int
    margin_scale_bps: int

    @property
    def skew(self) -> int:
        """Net open interest, above zero where longs prevail (size)."""
        return self.long_size - self.short_size


class PerpBooks(NamedTuple):
    """The exchange's books in settlement units; `NO_EQUITY` while a feed is refused. ``collateral``
    alternates what accounts hold and the tokens there are."""

    cash: int
    insurance: int
    vault_cash: int
    fees: int
    deficit: int
    tokens: int
    vault_equity: int
    collateral: tuple[int, ...] = ()


class Worth(NamedTuple):
    """What an account is worth, exactly; ``full_equity`` is before haircuts, ``ratio`` equity /
    maintenance margin (WAD)."""

    equity: int
    unrealised: int
    notional: int
    initial_margin: int
    call_margin: int
    maintenance_margin: int
    full_equity: int
    ratio: int


class PerpQuote(NamedTuple):
    """What liquidating an account now would do. ``kind``: 0 nothing, 1 close ``size`` of
    ``market``, 2 take over; ``reward`` about what the caller is credited (settlement units);
    ``until``: the position is left alone before that time."""

    account: int
    ratio: int
    kind: int
    market: int
    size: int
    reward: int
    until: int


class PerpCensus(NamedTuple):
    """All accounts at one block: their words, ``width`` for each, and what they are worth."""

    accounts: tuple[bytes, ...]
    width: int
    words: tuple[int, ...]
    worth: tuple[Worth, ...]

    def row(self, number: int) -> tuple[int, ...]:
        """One account's words."""
        return self.words[number * self.width : (number + 1) * self.width]


@dataclass(slots=True)
class Sums:
    """Exact sums over all accounts: cash; by market long and short size, cost, and size x funding
    index; amounts by collateral."""

    cash: int
    longs: list[int]
    shorts: list[int]
    costs: list[int]
    bases: list[int]
    amounts: list[int]


class Scan(NamedTuple):
    """Every account's figures from the cache, in settlement units, good to about 15 digits;
    ``doubt`` is how far they may be off; ``exposed``: it has a position, or owes cash; ``priced``:
    everything it holds has a price; ``frozen``: in default, in the waterfall's hands."""

    equity: Floats
    full_equity: Floats
    call_margin: Floats
    maintenance_margin: Floats
    doubt: Floats
    exposed: NDArray[np.bool_]
    priced: NDArray[np.bool_]
    frozen: NDArray[np.bool_]


def signed(word: int) -> int:
    """A word in two's complement."""
    return word - (1 << 256) if word >> 255 else word


def halves(word: int) -> tuple[int, int]:
    """The signed halves of a word."""
    high, low = word >> 128, word & (_HALF - 1)
    return high - _HALF if high >> 127 else high, low - _HALF if low >> 127 else low


def _signed_words(data: bytes) -> list[int]:
    """A returned ``uint256[]`` as integers in two's complement."""
    return [signed(word) for word in read_words(data)]


class PerpVenue:
    """A deployed exchange with its accounts.

    Numbers of accounts, markets and collaterals are positions in ``accounts``, ``markets`` and
    ``collaterals``. Accounts are those of traders, then the insurance fund's, then those of
    ``participants``, then whoever an event names.
    """

    def __init__(
        self,
        spec: PerpExchange,
        exchange: Contract,
        lens: Contract,
        vault: Contract,
        traders: Sequence[Trader],
        participants: Sequence[bytes],
        decimals: Mapping[str, int],
        provider: bytes,
    ) -> None:
        self.name = spec.name
        self.spec = spec
        self.exchange = exchange
        self.lens = lens
        self.vault = vault
        #: who holds the vault's shares at the start
        self.provider = provider
        self.traders = tuple(traders)
        self._participants = tuple(participants)
        self._decimals = dict(decimals)
        self.settlement = spec.settlement
        self.markets = tuple(market.symbol for market in spec.markets)
        self.collaterals = tuple(collateral.symbol for collateral in spec.collaterals)
        #: base units of a whole settlement token
        self.unit: int = 10 ** decimals[spec.settlement]
        self.value_scale: int = 10 ** (36 - decimals[spec.settlement])
        self.collateral_units = tuple(10 ** decimals[symbol] for symbol in self.collaterals)
        #: the trader and the place of its account, by number
        self.held = tuple(
            (trader, place) for trader in traders for place in range(len(trader.accounts))
        )
        self.insurance = account_word(exchange.address)
        self.insurance_number = len(self.held)
        self._listed = (
            *(self.word_of(trader, place) for trader, place in self.held),
            self.insurance,
            *(account_word(participant) for participant in participants),
        )
        self.width = 1 + 2 * len(self.markets) + len(self.collaterals)
        self._haircuts = np.array(
            [1 - collateral.haircut_bps / BPS for collateral in spec.collaterals]
        )
        self._tiers = [
            [
                (float(tier.end(self.unit)), tier.call_bps / BPS, tier.maintenance_bps / BPS)
                for tier in market.tiers
            ]
            for market in spec.markets
        ]
        self._states_call = lens.encode("marketStates", exchange.address)
        self._prices_call = lens.encode("pricesUsd", exchange.address)
        self._books_call = lens.encode("books", exchange.address)
        topics = {event.name: topic for topic, event in exchange.artifact.events.items()}
        self._named_in = {
            topics["Deposit"]: (1,),
            topics["Withdraw"]: (1,),
            topics["Moved"]: (1, 2),
            topics["Fill"]: (1,),
            topics["MarginCall"]: (1,),
            topics["MarginCallEnded"]: (1,),
            topics["Liquidation"]: (1,),
            topics["Takeover"]: (1,),
            topics["LossPaid"]: (1,),
            topics["DeficitBooked"]: (1,),
            topics["DeficitCovered"]: (1,),
        }
        self._rewarded = {topics["Liquidation"], topics["Takeover"]}
        self.accounts: list[bytes] = []
        self.number_of: dict[bytes, int] = {}
        #: exact words by account, and the sums that the exchange's totals must equal
        self._exact: list[list[int]] = []
        self.sums: Sums
        self.reset()

    def with_traders(self, traders: Sequence[Trader]) -> PerpVenue:
        """The same exchange with other accounts of its traders."""
        return PerpVenue(
            self.spec,
            self.exchange,
            self.lens,
            self.vault,
            traders,
            self._participants,
            self._decimals,
            self.provider,
        )

    def word_of(self, trader: Trader, place: int) -> bytes:
        """The word of a trader's account."""
        held = trader.accounts[place]
        only = self.markets.index(held.isolated) if held.isolated else None
        return account_word(trader.owner, only, held.sub)

    @property
    def people(self) -> tuple[bytes, ...]:
        """Everyone who may hold something here at the start."""
        return (*dict.fromkeys(trader.owner for trader in self.traders), self.provider)

    @property
    def origins(self) -> tuple[bytes, ...]:
        """Whose forced trades are this exchange's."""
        return (self.exchange.address,)

    @property
    def judged(self) -> tuple[str, ...]:
        """The assets by whose prices in settlement tokens it judges accounts."""
        return (*self.markets, *self.collaterals)

    def symbols(self) -> tuple[str, ...]:
        """The assets whose prices it depends on: markets, collaterals, settlement token."""
        return (*self.markets, *self.collaterals, self.settlement)

    def maintenance_tiers(self) -> list[list[tuple[int, int]]]:
        """Of each market the tiers' ends in settlement units and maintenance ratios (bps)."""
        return [self.tiers(market, "maintenance_bps") for market in self.spec.markets]

    def tiers(self, market: PerpMarket, ratio: str) -> list[tuple[int, int]]:
        """A market's tiers: their ends in settlement units and one of their ratios (bps)."""
        return [(tier.end(self.unit), int(getattr(tier, ratio))) for tier in market.tiers]

    def label(self, number: int) -> str:
        """What people call an account."""
        if number == self.insurance_number:
            return "insurance fund"
        if not 0 <= number < len(self.held):
            return "an account outside its populations"
        trader, place = self.held[number]
        held = trader.accounts[place]
        return f"{trader.group}/{trader.index}" + (
            f" ({held.isolated or 'cross'}, {held.sub})" if len(trader.accounts) > 1 else ""
        )

    def is_frozen(self, number: int) -> bool:
        """Whether an account is in default: it can neither trade nor be paid into."""
        return bool(self._frozen[number])

    def reset(self) -> None:
        """Forgets accounts that a pass has added."""
        self.accounts = list(self._listed)
        self.number_of = {word: number for number, word in enumerate(self.accounts)}
        self._resize()

    def _resize(self) -> None:
        count, markets, collaterals = len(self.accounts), len(self.markets), len(self.collaterals)
        self._cash = np.zeros(count)
        self._sizes = np.zeros((count, markets))
        self._costs = np.zeros((count, markets))
        self._since = np.zeros((count, markets))
        self._amounts = np.zeros((count, collaterals))
        self._frozen = np.zeros(count, dtype=bool)
        self._exact = [[0] * self.width for _ in range(count)]
        none = [0] * markets
        self.sums = Sums(0, none[:], none[:], none[:], none[:], [0] * collaterals)

    # --- reading -------------------------------------------------------------------------

    def states(self, engine: Engine) -> tuple[MarketState, ...]:
        """Every market at the last block."""
        words = [
            signed(word) for word in read_words(engine.call(self.lens.address, self._states_call))
        ]
        width = len(MarketState._fields)
        return tuple(MarketState(*words[i : i + width]) for i in range(0, len(words), width))

    def prices(self, engine: Engine) -> tuple[int, ...]:
        """USD (WAD) of every market's asset, every collateral and the settlement token as the
        exchange reads them; 0 where it refuses the answer."""
        return tuple(read_words(engine.call(self.lens.address, self._prices_call)))

    def books(self, engine: Engine) -> PerpBooks:
        """The books at the last block."""
        words = [
            signed(word) for word in read_words(engine.call(self.lens.address, self._books_call))
        ]
        cash, insurance, vault_cash, fees, deficit, tokens, vault_equity, *collateral = words
        return PerpBooks(
            cash, insurance, vault_cash, fees, deficit, tokens, vault_equity, tuple(collateral)
        )

    def touched(self, receipts: Sequence[Receipt]) -> set[int]:
        """Numbers of the accounts that the exchange's events name or reward; with any event the
        insurance fund's, which has a part of every fee. New accounts get a number."""
        found: set[int] = set()
        for receipt in receipts:
            for log in receipt.logs:
                if log.address == self.exchange.address:
                    found.update(self._number(word) for word in self._accounts_in(log))
        if found:
            found.add(self.insurance_number)
        return found

    def _accounts_in(self, log: Log) -> list[bytes]:
        topic = log.topics[0]
        words = [log.topics[place] for place in self._named_in.get(topic, ())]
        if topic in self._rewarded:
            words.append(account_word(log.topics[3][12:]))
        return [word for word in words if any(word)]

    def _number(self, word: bytes) -> int:
        number = self.number_of.get(word)
        if number is None:
            number = len(self.accounts)
            self.number_of[word] = number
            self.accounts.append(word)
            self._exact.append([0] * self.width)
            self._cash = np.append(self._cash, 0.0)
            self._frozen = np.append(self._frozen, False)
            for name in ("_sizes", "_costs", "_since", "_amounts"):
                array: Floats = getattr(self, name)
                setattr(self, name, np.vstack((array, np.zeros((1, array.shape[1])))))
        return number

    def refresh(self, engine: Engine, numbers: Iterable[int] | None = None) -> None:
        """Reads the words of these accounts, of all of them by default."""
        chosen = list(range(len(self.accounts)) if numbers is None else sorted(numbers))
        if not chosen:
            return
        data = self._ask(engine, "accounts", chosen)
        words = read_words(data)
        width, markets = self.width, len(self.markets)
        for place, number in enumerate(chosen):
            row = words[place * width : (place + 1) * width]
            self._count(self._exact[number], -1)
            self._count(row, 1)
            self._exact[number] = row
            cash, rest = halves(row[0])
            self._cash[number] = cash
            self._frozen[number] = bool(rest >> 64 & 1)
            for market in range(markets):
                size, cost = halves(row[1 + 2 * market])
                self._sizes[number, market] = size
                self._costs[number, market] = cost
                self._since[number, market] = halves(row[2 + 2 * market])[0]
            for collateral in range(len(self.collaterals)):
                self._amounts[number, collateral] = row[1 + 2 * markets + collateral]

    def _count(self, row: Sequence[int], sign: int) -> None:
        """Adds a row to the sums over accounts, or takes it off."""
        sums, markets = self.sums, len(self.markets)
        sums.cash += sign * halves(row[0])[0]
        for market in range(markets):
            if row[1 + 2 * market]:
                size, cost = halves(row[1 + 2 * market])
                sums.longs[market] += sign * max(size, 0)
                sums.shorts[market] += sign * max(-size, 0)
                sums.costs[market] += sign * cost
                sums.bases[market] += sign * size * halves(row[2 + 2 * market])[0]
        for collateral in range(len(self.collaterals)):
            sums.amounts[collateral] += sign * row[1 + 2 * markets + collateral]

    def words(self, number: int) -> list[int]:
        """An account's words, exact, as last read."""
        return self._exact[number]

    def cash(self, number: int) -> int:
        """An account's cash, as last read."""
        return halves(self._exact[number][0])[0]

    def called_at(self, number: int) -> int:
        """Time of the margin call in force, 0 if there is none, as last read."""
        return self._exact[number][0] & ((1 << 64) - 1)

    def size(self, number: int, market: int) -> int:
        """An account's position in a market, as last read."""
        return halves(self._exact[number][1 + 2 * market])[0]

    def has_positions(self, number: int) -> bool:
        """Whether an account has any position, as last read."""
        row = self._exact[number]
        return any(row[1 + 2 * market] for market in range(len(self.markets)))

    def named(self, row: Sequence[int]) -> dict[tuple[str, str], int]:
        """What an account's words hold, by kind (cash, position, collateral) and symbol; what is
        zero is left out."""
        markets = len(self.markets)
        found = {("cash", self.settlement): halves(row[0])[0]}
        for market, symbol in enumerate(self.markets):
            found["position", symbol] = halves(row[1 + 2 * market])[0]
        for symbol, amount in zip(self.collaterals, row[1 + 2 * markets :], strict=True):
            found["collateral", symbol] = amount
        return {key: amount for key, amount in found.items() if amount}

    def position_words(self, number: int, states: Sequence[MarketState]) -> tuple[int, ...]:
        """An account as a Liquidation event gives it: cash; of each market size, and cost with the
        funding owed; the amount of each collateral."""
        row, markets = self._exact[number], len(self.markets)
        words = [halves(row[0])[0]]
        for market in range(markets):
            size, cost = halves(row[1 + 2 * market])
            grown = states[market].funding_index_wad - halves(row[2 + 2 * market])[0]
            words += [size, cost - (-size * grown // self.value_scale)]
        return (*words, *row[1 + 2 * markets :])

    # --- scans ---------------------------------------------------------------------------

    def scan(self, states: Sequence[MarketState], prices: Sequence[int]) -> Scan:
        """Every account at these prices (as `prices` gives them) and the premiums of ``states``.

        An account that holds something without a price is not judged: ``priced`` is False.
        """
        markets, settlement = len(self.markets), prices[-1]
        scale = float(self.value_scale)
        usable = settlement > 0
        marks = np.array(
            [
                prices[i] / settlement * WAD * _premium(state) if usable else 0.0
                for i, state in enumerate(states)
            ]
        )
        funding = np.array([float(state.funding_index_wad) for state in states])
        worth = self._sizes * (marks / scale)
        notional = np.abs(worth)
        owed = self._sizes * ((funding - self._since) / scale)
        equity = self._cash + (worth - self._costs - owed).sum(axis=1)
        doubt = np.abs(self._cash) + (notional + np.abs(self._costs) + np.abs(owed)).sum(axis=1)
        full = equity
        if self.collaterals:
            each = np.array(
                [
                    prices[markets + i] / settlement * self.unit / unit if usable else 0.0
                    for i, unit in enumerate(self.collateral_units)
                ]
            )
            held = self._amounts * each
            full = equity + held.sum(axis=1)
            equity = equity + (held * self._haircuts).sum(axis=1)
            doubt = doubt + held.sum(axis=1)
        call, maintenance = np.zeros(len(equity)), np.zeros(len(equity))
        for market, tiers in enumerate(self._tiers):
            start = 0.0
            factor = states[market].margin_scale_bps / BPS
            for end, call_ratio, maintenance_ratio in tiers:
                part = np.clip(notional[:, market], start, end) - start
                call += part * (call_ratio * factor)
                maintenance += part * (maintenance_ratio * factor)
                start = end
        # a unit for each rounding, beside what floats leave out
        doubt = doubt * _TIGHT + 64
        exposed: NDArray[np.bool_] = np.any(self._sizes != 0, axis=1) | (self._cash < 0)
        priced, frozen = self._priced(prices), self._frozen.copy()
        return Scan(equity, full, call, maintenance, doubt, exposed, priced, frozen)

    def _priced(self, prices: Sequence[int]) -> NDArray[np.bool_]:
        if prices[-1] == 0:
            return np.zeros(len(self._cash), dtype=bool)
        markets = len(self.markets)
        refused = [i for i in range(markets) if prices[i] == 0]
        missing = [i for i in range(len(self.collaterals)) if prices[markets + i] == 0]
        unpriced = np.any(self._sizes[:, refused] != 0, axis=1)
        unpriced |= np.any(self._amounts[:, missing] > 0, axis=1)
        priced: NDArray[np.bool_] = ~unpriced
        return priced

    # --- exact reads ---------------------------------------------------------------------

    def worth(self, engine: Engine, numbers: Sequence[int]) -> list[Worth]:
        """Accounts at the exchange's own prices."""
        return self._worth(self._ask(engine, "margins", numbers)) if len(numbers) else []

    def worth_at(
        self, engine: Engine, numbers: Sequence[int], prices: Sequence[int]
    ) -> list[Worth]:
        """Accounts at given prices."""
        if not len(numbers):
            return []
        data = self.lens.encode(
            "marginsAt", self.exchange.address, self._account_words(numbers), list(prices)
        )
        return self._worth(engine.call(self.lens.address, data))

    @staticmethod
    def _worth(data: bytes) -> list[Worth]:
        words = _signed_words(data)
        width = len(Worth._fields)
        return [Worth(*words[i : i + width]) for i in range(0, len(words), width)]

    def quotes(self, engine: Engine, numbers: Sequence[int]) -> list[PerpQuote]:
        """What liquidating these accounts now would do."""
        if not len(numbers):
            return []
        words = [
            signed(word) for word in read_words(self._ask(engine, "liquidationQuotes", numbers))
        ]
        return [
            PerpQuote(number, *words[6 * place : 6 * place + 6])
            for place, number in enumerate(numbers)
        ]

    def census(self, engine: Engine) -> PerpCensus:
        """Every account, exactly."""
        self.refresh(engine)
        everyone = range(len(self.accounts))
        return PerpCensus(
            accounts=tuple(self.accounts),
            width=self.width,
            words=tuple(word for row in self._exact for word in row),
            worth=tuple(self.worth(engine, everyone)),
        )

    def final_reads(self) -> list[tuple[bytes, bytes]]:
        """The reads that close a run's digest: markets, books, every account's words."""
        everyone = self._account_words(range(len(self.accounts)))
        words = self.lens.encode("accounts", self.exchange.address, everyone)
        return [
            (self.lens.address, self._states_call),
            (self.lens.address, self._books_call),
            (self.lens.address, words),
        ]

    def _ask(self, engine: Engine, function: str, numbers: Sequence[int]) -> bytes:
        data = self.lens.encode(function, self.exchange.address, self._account_words(numbers))
        return engine.call(self.lens.address, data)

    def _account_words(self, numbers: Sequence[int]) -> Words:
        return Words(b"".join([self.accounts[number] for number in numbers]))


def _premium(state: MarketState) -> float:
    """Mark price / index price."""
    return state.mark_wad / state.index_wad if state.index_wad else 1.0
