"""The pooled lending market: calls, a cache of raw position words, and exact reads.

The cache is not a second set of books. It holds the scaled words as the chain packs them, is
refreshed for every account an event names, and only finds candidates: whatever is acted on or
reported is read from the lens, in integers, for those candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.accounts import account
from harness.contracts import WORD, Contract, Words, read_words
from harness.engine.base import Engine, Receipt
from harness.modules.handle import ModuleHandle
from harness.population import Position
from harness.scenario import GrowingDiscount, Lending, PooledLending

RAY = 10**27
WAD = 10**18
BPS = 10_000
MAX_UINT = (1 << 256) - 1
NO_CAP = (1 << 128) - 1

#: Health factor the lens gives for an asset the market refuses to price; MAX_UINT: no debt.
UNPRICED = MAX_UINT - 1

Floats = NDArray[np.float64]


class AssetState(NamedTuple):
    """One asset of the market at the last block; amounts in base units, indexes in RAY."""

    cash: int
    total_claims: int
    total_debt: int
    reserves: int
    deficit: int
    supply_index: int
    borrow_index: int
    total_scaled_supply: int
    total_scaled_debt: int
    price_wad: int


class Quote(NamedTuple):
    """What liquidating an account now would do at most: its largest debt against its largest
    collateral. ``max_repay`` and ``seized`` are base units of asset numbers ``debt`` and
    ``collateral``."""

    account: int
    health_factor: int
    collateral: int
    debt: int
    max_repay: int
    seized: int


class Holding(NamedTuple):
    """An account's part in one asset: base units, and USD WAD at the market's price; claims and
    what counts of them (``threshold_usd``) rounded down, debt up."""

    claims: int
    debt: int
    threshold_usd: int
    debt_usd: int


class Census(NamedTuple):
    """All accounts at one block: balances as words (claims << 128 | debt, base units), ``width``
    of them for each account, and health factors (WAD)."""

    width: int
    balances: tuple[int, ...]
    health: tuple[int, ...]

    def words(self, number: int) -> tuple[int, ...]:
        """One account's words, by asset."""
        return self.balances[number * self.width : (number + 1) * self.width]


class Shortfall(NamedTuple):
    """Unrealised losses at given prices in USD WAD: debt over collateral, and debt over what
    liquidation pays for it, collateral / (1 + bonus)."""

    market: int
    liquidation: int


def _halves(data: bytes) -> tuple[Floats, Floats]:
    """The upper and lower 128 bits of every word of a returned ``uint256[]``, as floats."""
    quarters = np.frombuffer(data, ">u8", offset=2 * WORD).reshape(-1, 4).astype(np.float64)
    shift = float(1 << 64)
    return quarters[:, 0] * shift + quarters[:, 1], quarters[:, 2] * shift + quarters[:, 3]


def address_of(position: Position) -> bytes:
    """The account that holds a position."""
    return account(position.holder or position.population, position.index).address


def _ratio(collateral: Floats, debt: Floats) -> Floats:
    """Collateral / debt, infinite where there is no debt."""
    ratio: Floats = np.divide(collateral, debt, out=np.full(debt.shape, np.inf), where=debt > 0)
    return ratio


class PooledLendingVenue:
    """A deployed market with its accounts.

    Account and asset numbers are positions in ``accounts`` and ``assets``.
    """

    #: the place among its topics at which an event names the account whose position it changes
    ACCOUNT_TOPICS: ClassVar[Mapping[str, int]] = {
        "Supply": 3,
        "Withdraw": 2,
        "Borrow": 2,
        "Repay": 3,
        "Liquidate": 1,
        "ClaimsSeized": 3,
        "Confiscate": 1,
        "Assign": 1,
        "Draw": 3,
    }
    #: the events a recorder has use for
    EVENTS: ClassVar[tuple[str, ...]] = (
        "Liquidate",
        "BadDebt",
        "AssetConfigured",
        "Confiscate",
        "DeficitCovered",
    )
    #: whether a liquidator gets the collateral before it has to pay
    needs_no_capital: ClassVar[bool] = False

    def __init__(
        self,
        spec: Lending,
        market: Contract,
        lens: Contract,
        positions: Sequence[Position],
        suppliers: Sequence[bytes],
        decimals: Sequence[int],
        configs: Mapping[str, tuple[Any, ...]],
        *,
        tokens: Mapping[str, Contract],
        liquidator: Contract,
        deleverager: Contract,
        flash_liquidator: Contract | None = None,
        module: ModuleHandle | None = None,
    ) -> None:
        self.module = module
        self._configs = dict(configs)
        self._tokens = tokens
        self._flash_fee_pips = spec.flash_loan_fee_pips if isinstance(spec, PooledLending) else 0
        self.flash_liquidator = flash_liquidator
        #: contracts through which accounts are liquidated and reduce themselves
        self.liquidator = liquidator
        self.deleverager = deleverager
        self.name = spec.name
        self.spec = spec
        self.market = market
        self.lens = lens
        self.assets = tuple(listing.symbol for listing in spec.assets)
        #: the feed that the market reads for each of them
        self.feed_names = tuple(listing.feed_name for listing in spec.assets)
        self.decimals = tuple(decimals)
        self.positions = tuple(positions)
        self.accounts = tuple(address_of(position) for position in positions)
        self.number_of = {address: i for i, address in enumerate(self.accounts)}
        self._address_words = np.frombuffer(
            b"".join([bytes(12) + address for address in self.accounts]), np.uint8
        ).reshape(-1, WORD)
        self.suppliers = tuple(suppliers)
        self._units = np.array([10.0**places for places in decimals])
        #: liquidation thresholds in force, by asset
        self.thresholds_bps = self._listed_thresholds()
        self._bonuses = np.array([1 + a.liquidation_bonus_bps / BPS for a in spec.assets])
        self._most_bonus = float(self._bonuses.max()) - 1.0
        if module is not None and isinstance(module.design, GrowingDiscount):
            discount = module.design.max_discount_bps
            self._most_bonus = discount / (BPS - discount)
        elif module is not None:
            self._most_bonus = 1.0
        self._claims: Floats = np.zeros((len(self.accounts), len(self.assets)))
        self._debts: Floats = np.zeros((len(self.accounts), len(self.assets)))
        self._valued: tuple[tuple[object, ...], tuple[Floats, Floats]] | None = None
        #: exact scaled words by account and asset, and their sums by asset
        self._scaled = [0] * (len(self.accounts) * len(self.assets))
        self._scaled_sums = [0] * len(self.assets)
        self._states_call = lens.encode("assetStates", market.address)
        topics = {event.name: topic for topic, event in market.artifact.events.items()}
        self._account_topic = {topics[name]: at for name, at in self.ACCOUNT_TOPICS.items()}

    @property
    def origins(self) -> tuple[bytes, ...]:
        """The addresses under which this venue's forced trades are filed."""
        return (self.market.address,)

    def token(self, symbol: str) -> Contract:
        """A listed asset's token."""
        return self._tokens[symbol]

    def symbol_of(self, token: bytes) -> str:
        """The listed asset of a token's address; KeyError if there is none."""
        for symbol in self.assets:
            if self._tokens[symbol].address == token:
                return symbol
        raise KeyError(token.hex())

    @property
    def people(self) -> tuple[bytes, ...]:
        """Everyone with a claim or a debt here at the start."""
        return self.accounts + self.suppliers

    def _listed_thresholds(self) -> tuple[int, ...]:
        return tuple(asset.liquidation_threshold_bps for asset in self.spec.assets)

    def listed(self, symbol: str) -> tuple[Any, ...]:
        """An asset's configuration as the scenario has it, as the market takes it."""
        return self._configs[symbol]

    def with_threshold(self, symbol: str, threshold_bps: int) -> bytes:
        """Call data that gives an asset another threshold, and an LTV no higher than that."""
        fields = list(self._configs[symbol])
        fields[5] = min(fields[5], threshold_bps)
        fields[6] = threshold_bps
        return self.market.encode("setAssetConfig", tuple(fields))

    def configuration(self, symbol: str, *, opening: bool) -> bytes:
        """Call data that gives an asset its listed terms, or those under which positions can be
        set up whatever they are: without caps, every collateral good for all of its value."""
        fields = list(self._configs[symbol])
        if opening:
            fields[5] = fields[6] = BPS if fields[6] else 0
            fields[10] = fields[11] = NO_CAP
        return self.market.encode("setAssetConfig", tuple(fields))

    def with_positions(
        self, positions: Sequence[Position], suppliers: Sequence[bytes]
    ) -> PooledLendingVenue:
        """The same market with other accounts, and further ones whose claims count."""
        return PooledLendingVenue(
            self.spec,
            self.market,
            self.lens,
            positions,
            (*self.suppliers, *suppliers),
            self.decimals,
            self._configs,
            tokens=self._tokens,
            liquidator=self.liquidator,
            deleverager=self.deleverager,
            flash_liquidator=self.flash_liquidator,
            module=self.module,
        )

    def reset(self) -> None:
        """Forgets what a pass changed of the market's parameters."""
        self.thresholds_bps = self._listed_thresholds()

    def configured(self, symbol: str, threshold_bps: int) -> None:
        """Takes in a change of an asset's threshold, as the market's event tells it."""
        place = self.assets.index(symbol)
        thresholds = list(self.thresholds_bps)
        thresholds[place] = threshold_bps
        self.thresholds_bps = tuple(thresholds)

    # --- acting --------------------------------------------------------------------------

    def supply_call(self, symbol: str, amount: int, owner: bytes) -> bytes:
        """Call data for the market that adds to an account's collateral."""
        return self.market.encode("supply", self._tokens[symbol].address, amount, owner)

    def withdraw_call(self, symbol: str, amount: int, owner: bytes) -> bytes:
        """Call data for the market by which an account takes out collateral or claims."""
        return self.market.encode("withdraw", self._tokens[symbol].address, amount, owner, owner)

    def borrow_call(self, symbol: str, amount: int, owner: bytes, to: bytes) -> bytes:
        """Call data for the market by which an account borrows, to be paid to ``to``."""
        return self.market.encode("borrow", self._tokens[symbol].address, amount, owner, to)

    def repay_call(self, symbol: str, amount: int, owner: bytes) -> bytes:
        """Call data for the market that repays an account's debt."""
        return self.market.encode("repay", self._tokens[symbol].address, amount, owner)

    def deleverage_call(self, collateral: str, debt: str, amount: int) -> bytes:
        """Call data for ``deleverager``, sent by the account: sell collateral, repay debt."""
        tokens = self._tokens
        sold, owed = tokens[collateral].address, tokens[debt].address
        return self.deleverager.encode("deleverage", self.market.address, sold, owed, amount, 0)

    def liquidation_call(
        self, quote: Quote, repay: int, least: int, *, flash_loan: bool
    ) -> tuple[Contract, bytes]:
        """The contract and the call data that repay so much of what a quote allows, sell what is
        seized and make at least ``least``, in base units of the debt asset.

        flash_loan: with money borrowed from the market for the transaction
        """
        assets, tokens = self.assets, self._tokens
        account = self.accounts[quote.account]
        seized, owed = tokens[assets[quote.collateral]].address, tokens[assets[quote.debt]].address
        # interest grows until the transaction runs: only "all of it" leaves nothing over
        amount = MAX_UINT if repay == quote.max_repay else repay
        job = (self.market.address, account, seized, owed, amount, least)
        if flash_loan:
            if self.flash_liquidator is None:
                raise ValueError(f"{self.name} was set up without a flash liquidator")
            return self.flash_liquidator, self.flash_liquidator.encode("liquidateByLoan", job)
        return self.liquidator, self.liquidator.encode("liquidate", *job)

    def seizure_call(self, quote: Quote, repay: int, to: bytes) -> bytes:
        """Call data for the market that repays from the sender's tokens and pays ``to`` what is
        seized."""
        assets, tokens = self.assets, self._tokens
        return self.market.encode(
            "liquidate",
            self.accounts[quote.account],
            tokens[assets[quote.collateral]].address,
            tokens[assets[quote.debt]].address,
            repay,
            False,
            to,
        )

    def borrowable(self, quote: Quote, states: Sequence[AssetState]) -> int:
        """What a flash loan can bring of a quote's debt asset, base units."""
        return states[quote.debt].cash

    def flash_fee_up(self, amount: int) -> int:
        """What a flash loan of so much costs."""
        return -(-amount * self._flash_fee_pips // 1_000_000)

    def told(self, event: str, fields: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """What an event of the market says in the words of a pooled market's."""
        return [(event, fields)]

    # --- reading -------------------------------------------------------------------------

    def states(self, engine: Engine) -> list[AssetState]:
        """Every asset's books at the last block."""
        words = read_words(engine.call(self.lens.address, self._states_call))
        width = len(AssetState._fields)
        return [AssetState(*words[i : i + width]) for i in range(0, len(words), width)]

    def refresh(self, engine: Engine, numbers: Iterable[int] | None = None) -> None:
        """Reads the scaled words of these accounts, of all of them by default."""
        chosen = list(range(len(self.accounts)) if numbers is None else sorted(numbers))
        if not chosen:
            return
        self._valued = None
        data = self._ask(engine, "scaledPositions", chosen)
        self._keep_sums(chosen, read_words(data))
        claims, debts = _halves(data)
        shape = (len(chosen), len(self.assets))
        self._claims[chosen] = claims.reshape(shape)
        self._debts[chosen] = debts.reshape(shape)

    def _keep_sums(self, numbers: Sequence[int], words: Sequence[int]) -> None:
        width = len(self.assets)
        for place, number in enumerate(numbers):
            for asset in range(width):
                new, at = words[place * width + asset], number * width + asset
                self._scaled_sums[asset] += new - self._scaled[at]
                self._scaled[at] = new

    def scaled_sum(self, asset: int) -> int:
        """Scaled claims << 128 | scaled debt of all accounts together, exact, as last read."""
        return self._scaled_sums[asset]

    def scaled_words(self, engine: Engine, people: Sequence[bytes]) -> list[int]:
        """Exact scaled words of anyone, an asset each."""
        if not people:
            return []
        words = self.lens.encode("scaledPositions", self.market.address, list(people))
        return read_words(engine.call(self.lens.address, words))

    def words_of(self, engine: Engine, people: Sequence[bytes]) -> list[int]:
        """Exact balances (claims << 128 | debt, base units) of anyone, an asset each."""
        if not people:
            return []
        call = self.lens.encode("positions", self.market.address, list(people))
        return read_words(engine.call(self.lens.address, call))

    def touched(self, receipts: Sequence[Receipt]) -> set[int]:
        """The numbers of the accounts that the market's events name."""
        found: set[int] = set()
        address = self.market.address
        for receipt in receipts:
            for log in receipt.logs:
                if log.address == address:
                    place = self._account_topic.get(log.topics[0])
                    if place is not None:
                        number = self.number_of.get(log.topics[place][12:])
                        if number is not None:
                            found.add(number)
        return found

    def liquidated_usd(self, receipts: Sequence[Receipt], states: Sequence[AssetState]) -> int:
        """USD (WAD) of debt that liquidations in these receipts repaid, or a module took over at
        the indexes after them."""
        total = 0
        for receipt in receipts:
            if self.module is None:
                for fields in self.market.events(receipt.logs, "Liquidate"):
                    for name, told in self.told("Liquidate", fields):
                        total += told["repaidUsdWad"] if name == "Liquidate" else 0
                continue
            for fields in self.market.events(receipt.logs, "Confiscate"):
                for place, word in enumerate(fields["taken"]):
                    debt = (word & NO_CAP) * states[place].borrow_index // RAY
                    total += debt * fields["prices"][place] // 10 ** self.decimals[place]
        return total

    def health(self, states: Sequence[AssetState], prices_wad: Sequence[int]) -> Floats:
        """Health factors of all accounts from the cache, good to about 15 digits.

        Infinite without debt, and with an asset whose price (0) the market refuses: nobody can
        be liquidated by such a price.
        """
        claims_usd, debt_usd = self._usd(states, prices_wad)
        thresholds = np.array(self.thresholds_bps) / BPS
        health = _ratio(claims_usd @ thresholds, debt_usd.sum(axis=1))
        health[self.unpriced(prices_wad)] = np.inf
        return health

    def unpriced(self, prices_wad: Sequence[int]) -> NDArray[np.bool_]:
        """Which accounts hold or owe an asset whose price (0) the market refuses."""
        refused = [place for place, price in enumerate(prices_wad) if price == 0]
        held = (self._claims[:, refused] > 0) | (self._debts[:, refused] > 0)
        unpriced: NDArray[np.bool_] = np.any(held, axis=1)
        return unpriced

    def most_gain(
        self, numbers: Sequence[int], states: Sequence[AssetState], prices_wad: Sequence[int]
    ) -> Floats:
        """A bound in USD on what liquidating each of these accounts can earn: the bonus on the
        smaller of its claims and its debt."""
        claims_usd, debt_usd = self._usd(states, prices_wad)
        rows = list(numbers)
        worth = np.minimum(claims_usd[rows].sum(axis=1), debt_usd[rows].sum(axis=1))
        gain: Floats = worth * self._most_bonus * (1 + 1e-9)
        return gain

    def position_words(self, number: int, states: Sequence[AssetState]) -> tuple[int, ...]:
        """An account's balances (claims << 128 | debt) from the cache, good to about 15 digits."""
        claims, debts = self._claims[number].tolist(), self._debts[number].tolist()
        return tuple(
            int(claims[i] * (state.supply_index / RAY)) << 128
            | int(debts[i] * (state.borrow_index / RAY))
            for i, state in enumerate(states)
        )

    def cover(self, states: Sequence[AssetState], prices_wad: Sequence[int]) -> Floats:
        """Collateral over debt of all accounts at given prices, infinite without debt; below 1
        there is a market shortfall. To find candidates only."""
        claims_usd, debt_usd = self._usd(states, prices_wad)
        return _ratio(claims_usd.sum(axis=1), debt_usd.sum(axis=1))

    def liquidation_cover(self, states: Sequence[AssetState], prices_wad: Sequence[int]) -> Floats:
        """As `cover`, of what liquidation pays for collateral, which is 1 / (1 + bonus) of it;
        below 1 there is a liquidation shortfall."""
        claims_usd, debt_usd = self._usd(states, prices_wad)
        return _ratio((claims_usd / self._bonuses).sum(axis=1), debt_usd.sum(axis=1))

    def health_factors(self, engine: Engine, numbers: Sequence[int]) -> list[int]:
        """Exact health factors (WAD) at the market's own prices."""
        if not len(numbers):
            return []
        return read_words(self._ask(engine, "healthFactors", numbers))

    def holdings(
        self, number: int, states: Sequence[AssetState], prices_wad: Sequence[int]
    ) -> list[Holding]:
        """One account's position from the cache, valued at these prices: what its holder plans
        with; the transaction it sends meets the chain's own figures."""
        holdings = []
        for place, word in enumerate(self.position_words(number, states)):
            claims, debt = word >> 128, word & NO_CAP
            unit = 10 ** self.decimals[place]
            threshold = self.thresholds_bps[place]
            price = prices_wad[place]
            holdings.append(
                Holding(
                    claims,
                    debt,
                    claims * price * threshold // (unit * BPS),
                    -(-debt * price // unit),
                )
            )
        return holdings

    def quotes(self, engine: Engine, numbers: Sequence[int]) -> list[Quote]:
        """Exact liquidation quotes of these accounts; ``max_repay`` is 0 for one that cannot be
        liquidated."""
        words = read_words(self._ask(engine, "liquidationQuotes", numbers))
        quotes = [
            Quote(number, *words[5 * place : 5 * place + 5]) for place, number in enumerate(numbers)
        ]
        if self.module is None or not isinstance(self.module.design, GrowingDiscount):
            return quotes
        granted = self.module.lens.read(
            engine,
            "discountQuotes",
            self.module.contract.address,
            [self.accounts[number] for number in numbers],
            [self._tokens[self.assets[quote.collateral]].address for quote in quotes],
            [self._tokens[self.assets[quote.debt]].address for quote in quotes],
        )
        return [
            quote._replace(max_repay=granted[2 * place], seized=granted[2 * place + 1])
            for place, quote in enumerate(quotes)
        ]

    def shortfall(
        self, engine: Engine, numbers: Sequence[int], prices_wad: Sequence[int]
    ) -> Shortfall:
        """Exact shortfalls of these accounts at given prices."""
        if not len(numbers):
            return Shortfall(0, 0)
        data = engine.call(
            self.lens.address,
            self.lens.encode(
                "shortfallAt", self.market.address, self._addresses(numbers), list(prices_wad)
            ),
        )
        decoded = self.lens.decode("shortfallAt", data)
        return Shortfall(decoded[0], decoded[1])

    def final_reads(self) -> list[tuple[bytes, bytes]]:
        """The reads that close a run's digest: the market's books, everyone's position words."""
        words = self.lens.encode("scaledPositions", self.market.address, list(self.people))
        return [(self.lens.address, self._states_call), (self.lens.address, words)]

    def census(self, engine: Engine) -> Census:
        """Every account's exact balances and health factor."""
        everyone = range(len(self.accounts))
        if not self.accounts:
            return Census(len(self.assets), (), ())
        words = read_words(self._ask(engine, "positions", everyone))
        return Census(len(self.assets), tuple(words), tuple(self.health_factors(engine, everyone)))

    def _ask(self, engine: Engine, function: str, numbers: Sequence[int]) -> bytes:
        return engine.call(
            self.lens.address,
            self.lens.encode(function, self.market.address, self._addresses(numbers)),
        )

    def _addresses(self, numbers: Sequence[int]) -> Words:
        return Words(self._address_words[np.asarray(numbers)].tobytes())

    def _usd(
        self, states: Sequence[AssetState], prices_wad: Sequence[int]
    ) -> tuple[Floats, Floats]:
        """Claims and debts of all accounts in USD; the last answer is kept until a refresh."""
        key = (*prices_wad, *[(state.supply_index, state.borrow_index) for state in states])
        if self._valued is not None and self._valued[0] == key:
            return self._valued[1]
        prices = np.array([price / WAD for price in prices_wad]) / self._units
        supply = prices * np.array([state.supply_index / RAY for state in states])
        borrow = prices * np.array([state.borrow_index / RAY for state in states])
        valued = self._claims * supply, self._debts * borrow
        self._valued = key, valued
        return valued
