// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IPerpTypes} from "../interfaces/IPerpTypes.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {FeedReader} from "../libraries/FeedReader.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {PerpMath} from "./PerpMath.sol";

/// @title The storage of a perpetual exchange and what all its parts do with it
/// @notice PerpExchange holds the storage; it calls PerpAdmin and PerpLiquidation by delegation, so that each
/// stays below the size limit of a contract. All three inherit this one and so agree on every slot.
abstract contract PerpCore is IPerpTypes {
    using Math for uint256;
    using PerpMath for int256;
    using PerpMath for uint256;
    using SafeTransfer for IERC20;

    uint256 internal constant BPS = PerpMath.BPS;

    /// @dev Bounds the loops over what an account holds, and the bits that say what that is.
    uint256 internal constant MAX_MARKETS = 32;
    uint256 internal constant MAX_COLLATERALS = 16;

    uint8 internal constant PAUSE_TRADES = 1;
    uint8 internal constant PAUSE_WITHDRAWALS = 2;
    uint8 internal constant PAUSE_LIQUIDATIONS = 4;

    struct Market {
        MarketConfig config;
        Tier[] tiers;
        /// From feed units to Wad.
        uint64 priceScale;
        uint64 updatedAt;
        uint128 longSize;
        uint128 shortSize;
        int128 totalCost;
        int128 fundingIndexWad;
        int128 premiumWad;
        int256 fundingBase;
        uint128 lastIndexWad;
        uint128 referenceWad;
        uint256 varianceRate;
    }

    struct Collateral {
        CollateralConfig config;
        uint64 unit;
        uint64 priceScale;
        uint128 total;
    }

    struct Account {
        int128 cash;
        uint64 calledAt;
        uint32 marketBits;
        uint16 collateralBits;
        bool inDefault;
    }

    struct Position {
        int128 size;
        int128 cost;
        int128 fundingIndexWad;
        uint64 steppedAt;
        uint8 steps;
    }

    address internal _admin;
    uint8 internal _paused;
    address internal _settlement;
    address internal _settlementFeed;
    address internal _router;
    address internal _vault;
    address internal _waterfall;
    uint256 internal _valueScale;

    int256 internal _cash;
    int256 internal _vaultCash;
    uint256 internal _fees;
    uint256 internal _deficit;

    RiskConfig internal _risk;
    Market[] internal _markets;
    Collateral[] internal _collaterals;
    mapping(address token => uint256) internal _collateralIdPlusOne;
    mapping(bytes32 account => Account) internal _accounts;
    mapping(bytes32 account => mapping(uint256 market => Position)) internal _positions;
    mapping(bytes32 account => mapping(uint256 collateral => uint256)) internal _amounts;
    mapping(address owner => mapping(address operator => bool)) internal _isOperator;

    bool internal transient _entered;

    modifier nonReentrant() {
        if (_entered) revert Reentrancy();
        _entered = true;
        _;
        _entered = false;
    }

    modifier unlessPaused(uint8 flag) {
        if (_paused & flag != 0) revert Paused(flag);
        _;
    }

    function _insurance() internal view returns (bytes32) {
        return PerpMath.mainAccount(address(this));
    }

    // ---- Prices

    function _usd(address feed, uint256 maxAge, int256 minAnswer, int256 maxAnswer, uint256 scale)
        internal
        view
        returns (uint256)
    {
        return FeedReader.read(IPriceFeed(feed), maxAge, minAnswer, maxAnswer) * scale;
    }

    function _settlementUsdWad() internal view virtual returns (uint256) {
        if (_settlementFeed == address(0)) return Math.WAD;
        return _usd(
            _settlementFeed, 0, 0, type(int256).max, 10 ** (18 - IPriceFeed(_settlementFeed).decimals())
        );
    }

    function _marketUsdWad(uint256 id) internal view virtual returns (uint256) {
        Market storage market = _market(id);
        MarketConfig storage config = market.config;
        return _usd(config.feed, config.maxAge, config.minAnswer, config.maxAnswer, market.priceScale);
    }

    function _collateralUsdWad(uint256 id) internal view virtual returns (uint256) {
        Collateral storage collateral = _collaterals[id];
        CollateralConfig storage config = collateral.config;
        return _usd(config.feed, config.maxAge, config.minAnswer, config.maxAnswer, collateral.priceScale);
    }

    /// @dev Settlement tokens per whole token.
    function _collateralPriceWad(uint256 id, uint256 settlementUsd) internal view returns (uint256) {
        return PerpMath.quoteDown(_collateralUsdWad(id), settlementUsd);
    }

    // ---- Markets

    function _market(uint256 id) internal view returns (Market storage) {
        if (id >= _markets.length) revert NoMarket(id);
        return _markets[id];
    }

    /// @dev The market at this block's time and this index price. Skew was what it is since the last accrual, and
    /// the index what it was then; funding is charged at the new index.
    function _state(uint256 id, uint256 indexWad) internal view virtual returns (MarketState memory s) {
        Market storage market = _market(id);
        MarketConfig storage config = market.config;
        s.indexWad = indexWad;
        s.longSize = market.longSize;
        s.shortSize = market.shortSize;
        s.totalCost = market.totalCost;
        s.fundingIndexWad = market.fundingIndexWad;
        s.fundingBase = market.fundingBase;
        s.premiumWad = market.premiumWad;
        s.referenceWad = market.referenceWad;
        s.varianceRate = market.varianceRate;

        int256 share = PerpMath.skewShareWad(_skew(s), config.skewScale);
        s.fundingRateWad =
            PerpMath.fundingRateWad(share, config.fundingSlopeWad, config.interestWad, config.fundingCapWad);
        uint256 elapsed = block.timestamp - market.updatedAt;
        if (market.updatedAt == 0) {
            s.referenceWad = indexWad;
        } else if (elapsed != 0) {
            s.fundingIndexWad += PerpMath.fundingGrowthWad(s.fundingRateWad, indexWad, elapsed);
            s.premiumWad = PerpMath.decayed(
                s.premiumWad, share, Math.rpowNearest(config.premiumDecayRay, elapsed)
            );
            if (config.bandBps != 0) {
                s.referenceWad = _average(
                    s.referenceWad, market.lastIndexWad, Math.rpowNearest(config.bandDecayRay, elapsed)
                );
            }
            if (config.volatilityTargetWad != 0) {
                s.varianceRate = _average(
                    s.varianceRate,
                    PerpMath.varianceRate(market.lastIndexWad, indexWad, elapsed),
                    Math.rpowNearest(config.volatilityDecayRay, elapsed)
                );
            }
        }
        s.markWad = _markWad(s, config.premiumBoundBps);
        s.marginScaleBps = _marginScaleBps(s, config);
    }

    function _average(uint256 average, uint256 target, uint256 decayRay) private pure returns (uint256) {
        return uint256(PerpMath.decayed(average.toInt(), target.toInt(), decayRay));
    }

    function _markWad(MarketState memory s, uint256 boundBps) internal view virtual returns (uint256) {
        return PerpMath.markPrice(s.indexWad, s.premiumWad, boundBps);
    }

    function _marginScaleBps(MarketState memory s, MarketConfig storage config) internal view returns (uint256) {
        return PerpMath.marginScaleBpsUp(
            s.varianceRate,
            config.volatilityTargetWad,
            s.longSize.max(s.shortSize),
            config.skewScale,
            config.openInterestSlopeBps,
            config.scaleCapBps
        );
    }

    function _skew(MarketState memory s) internal pure returns (int256) {
        return s.longSize.toInt() - s.shortSize.toInt();
    }

    function _stateNow(uint256 id) internal view returns (MarketState memory) {
        return _state(id, PerpMath.quoteDown(_marketUsdWad(id), _settlementUsdWad()));
    }

    function _accrue(uint256 id) internal virtual returns (MarketState memory s) {
        s = _stateNow(id);
        Market storage market = _markets[id];
        if (market.updatedAt == block.timestamp) return s;
        market.fundingIndexWad = s.fundingIndexWad.toInt128();
        market.premiumWad = s.premiumWad.toInt128();
        market.referenceWad = s.referenceWad.toUint128();
        market.varianceRate = s.varianceRate;
        market.lastIndexWad = s.indexWad.toUint128();
        market.updatedAt = uint64(block.timestamp);
    }

    /// @dev Price and trading fee of a fill of this size.
    function _quote(uint256 id, MarketState memory s, int256 sizeDelta)
        internal
        view
        virtual
        returns (uint256 priceWad, uint256 fee)
    {
        MarketConfig storage config = _markets[id].config;
        int256 skew = _skew(s);
        priceWad = PerpMath.fillPrice(s.indexWad, skew, sizeDelta, config.skewScale);
        if (priceWad == 0) revert FillPriceOutOfRange(id);
        uint256 value = sizeDelta.abs().mulDivUp(priceWad, _valueScale);
        fee = PerpMath.feeUp(value, skew, sizeDelta, config.makerFeePips, config.takerFeePips);
    }

    // ---- Accounts

    function _valuation(bytes32 account) internal view virtual returns (Valuation memory v) {
        Account storage a = _accounts[account];
        uint256 settlementUsd = _settlementUsdWad();
        v.equity = a.cash;
        uint256 bits = a.marketBits;
        for (uint256 id; bits != 0; (++id, bits >>= 1)) {
            if (bits & 1 == 0) continue;
            Position storage p = _positions[account][id];
            PerpMath.addPosition(
                v,
                PerpMath.pack(p.size, p.cost),
                p.fundingIndexWad,
                _state(id, PerpMath.quoteDown(_marketUsdWad(id), settlementUsd)),
                _markets[id].tiers,
                _valueScale
            );
        }
        bits = a.collateralBits;
        for (uint256 id; bits != 0; (++id, bits >>= 1)) {
            if (bits & 1 == 0) continue;
            Collateral storage collateral = _collaterals[id];
            v.equity += PerpMath.collateralValueDown(
                _amounts[account][id],
                _collateralPriceWad(id, settlementUsd),
                collateral.unit,
                _valueScale,
                collateral.config.haircutBps
            ).toInt();
        }
    }

    /// @dev Without positions or a missing cash balance there is nothing to hold margin for.
    function _isIdle(bytes32 account) internal view returns (bool) {
        Account storage a = _accounts[account];
        return a.marketBits == 0 && a.cash >= 0;
    }

    function _requireMargin(bytes32 account, int256 equity, uint256 required) internal view virtual {
        if (equity < required.toInt()) revert InsufficientMargin(account, equity, required);
    }

    function _endCallIfRestored(bytes32 account, Valuation memory v) internal {
        Account storage a = _accounts[account];
        if (a.calledAt == 0 || v.equity < v.callMargin.toInt()) return;
        a.calledAt = 0;
        emit MarginCallEnded(account, v.equity, v.callMargin);
    }

    // ---- Ledger

    /// @dev Every change of an account's cash.
    function _credit(bytes32 account, int256 amount) internal virtual {
        Account storage a = _accounts[account];
        a.cash = (a.cash + amount).toInt128();
        _cash += amount;
    }

    /// @dev Every change of an account's collateral.
    function _setAmount(bytes32 account, uint256 id, uint256 amount) internal virtual {
        Collateral storage collateral = _collaterals[id];
        collateral.total = (collateral.total + amount - _amounts[account][id]).toUint128();
        _amounts[account][id] = amount;
        uint16 bit = uint16(1 << id);
        if (amount == 0) _accounts[account].collateralBits &= ~bit;
        else _accounts[account].collateralBits |= bit;
    }

    /// @dev Charges an account's position its funding up to the market's index.
    function _settleFunding(bytes32 account, uint256 id) internal virtual returns (int256 owed) {
        Market storage market = _markets[id];
        Position storage p = _positions[account][id];
        owed = PerpMath.fundingUp(p.size, market.fundingIndexWad, p.fundingIndexWad, _valueScale);
        market.fundingBase += int256(p.size) * (int256(market.fundingIndexWad) - p.fundingIndexWad);
        p.fundingIndexWad = market.fundingIndexWad;
        _credit(account, -owed);
        _vaultCash += owed;
    }

    /// @dev Changes a position against the vault at this price. The market is accrued. A trade through zero closes
    /// one position and opens another.
    function _fill(bytes32 account, uint256 id, FillKind kind, int256 sizeDelta, uint256 priceWad, uint256 fee)
        internal
        virtual
        returns (int256 realised)
    {
        int256 funding = _settleFunding(account, id);
        Position storage p = _positions[account][id];
        int256 sizeBefore = p.size;
        int256 opening = sizeDelta;
        if (sizeBefore != 0 && (sizeBefore < 0) != (sizeDelta < 0)) {
            int256 closing = sizeDelta.abs() < sizeBefore.abs() ? sizeDelta : -sizeBefore;
            realised = _realise(p, id, closing, priceWad);
            opening -= closing;
        }
        if (opening != 0) {
            int256 value = PerpMath.mulDivUp(opening, priceWad.toInt(), _valueScale);
            p.cost = (p.cost + value).toInt128();
            _markets[id].totalCost = (_markets[id].totalCost + value).toInt128();
        }
        int256 sizeAfter = sizeBefore + sizeDelta;
        _resize(account, id, sizeBefore, sizeAfter);
        _credit(account, realised - fee.toInt());
        _vaultCash -= realised;
        emit Fill(account, id, kind, sizeDelta, priceWad, fee, realised, funding, sizeAfter);
    }

    /// @dev Takes its share of the cost from a position that is closed by `closing`.
    function _realise(Position storage p, uint256 id, int256 closing, uint256 priceWad)
        private
        returns (int256 realised)
    {
        int256 cost = p.cost;
        int256 part = closing == -int256(p.size)
            ? cost
            : PerpMath.mulDivUp(cost, closing.abs().toInt(), int256(p.size).abs());
        realised = -PerpMath.mulDivUp(closing, priceWad.toInt(), _valueScale) - part;
        p.cost = (cost - part).toInt128();
        _markets[id].totalCost = (_markets[id].totalCost - part).toInt128();
    }

    /// @dev Writes a position's size, and the market's open interest and funding base with it.
    function _resize(bytes32 account, uint256 id, int256 sizeBefore, int256 sizeAfter) internal virtual {
        Market storage market = _markets[id];
        Position storage p = _positions[account][id];
        p.size = sizeAfter.toInt128();
        market.longSize = (market.longSize + sizeAfter.positive() - sizeBefore.positive()).toUint128();
        market.shortSize = (market.shortSize + (-sizeAfter).positive() - (-sizeBefore).positive()).toUint128();
        market.fundingBase += (sizeAfter - sizeBefore) * int256(market.fundingIndexWad);
        uint32 bit = uint32(1 << id);
        if (sizeAfter == 0) {
            delete _positions[account][id];
            _accounts[account].marketBits &= ~bit;
        } else {
            _accounts[account].marketBits |= bit;
        }
    }

    /// @dev Vault cash less the traders' unrealised profits, rounded down.
    function _vaultEquity() internal view virtual returns (int256 equity) {
        equity = _vaultCash;
        for (uint256 id; id < _markets.length; ++id) {
            Market storage market = _markets[id];
            if (market.longSize == 0 && market.shortSize == 0) continue;
            MarketState memory s = _stateNow(id);
            int256 skew = _skew(s);
            int256 funding = (skew * s.fundingIndexWad - s.fundingBase) / _valueScale.toInt();
            equity += s.totalCost - PerpMath.mulDivUp(skew, s.markWad.toInt(), _valueScale) + funding - 1;
        }
    }

    // ---- Tokens

    function _collateralId(address token) internal view returns (uint256) {
        uint256 idPlusOne = _collateralIdPlusOne[token];
        if (idPlusOne == 0) revert NotListed(token);
        return idPlusOne - 1;
    }
}
