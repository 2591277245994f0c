// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAuctionCallee} from "../interfaces/IAuctionCallee.sol";
import {IDutchAuction} from "../interfaces/IDutchAuction.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {ILiquidationTrigger} from "../interfaces/ILiquidationTrigger.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {IPriceCurve} from "../interfaces/IPriceCurve.sol";
import {AccountReader} from "../libraries/AccountReader.sol";
import {Math} from "../libraries/Math.sol";
import {PositionMath} from "../libraries/PositionMath.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {LiquidationModule} from "./LiquidationModule.sol";

/// @title DutchAuction
contract DutchAuction is IDutchAuction, LiquidationModule {
    using Math for uint256;
    using SafeTransfer for IERC20;

    address public immutable admin;
    IPriceCurve public immutable curve;
    ILiquidationTrigger public trigger;
    uint256 public kicks;

    Config internal _config;
    mapping(uint256 id => Sale) internal _sales;
    uint256[] internal _running;
    mapping(uint256 id => uint256) internal _place;

    constructor(address admin_, IPooledMarket market_, IPriceCurve curve_, Config memory config_)
        LiquidationModule(market_)
    {
        if (config_.bufRay == 0) revert InvalidConfig("bufRay");
        if (config_.tail == 0) revert InvalidConfig("tail");
        admin = admin_;
        curve = curve_;
        _config = config_;
    }

    function setTrigger(ILiquidationTrigger trigger_) external {
        if (msg.sender != admin) revert NotAdmin(msg.sender);
        if (address(trigger) != address(0)) revert TriggerFixed();
        trigger = trigger_;
        emit TriggerSet(address(trigger_));
    }

    function kick(Sale calldata terms, address keeper) external nonReentrant returns (uint256 id) {
        if (msg.sender != address(trigger)) revert NotTrigger(msg.sender);
        id = ++kicks;
        Sale storage s = _sales[id];
        _sales[id] = terms;
        _place[id] = _running.length;
        _running.push(id);
        s.topRay = _topRay(s);
        s.startedAt = uint64(block.timestamp);

        AccountReader.Pair memory pair;
        (pair.collateralId, pair.debtId) = (_idOf(terms.collateralAsset), _idOf(terms.debtAsset));
        (pair.scaledClaims, pair.scaledDebt) = (terms.scaledClaims, terms.scaledDebt);
        _confiscate(terms.account, pair);
        uint256 incentive = _payIncentive(s, keeper);
        emit Kick(
            id,
            s.account,
            keeper,
            s.collateralAsset,
            s.debtAsset,
            s.topRay,
            _lot(s),
            s.tab,
            incentive
        );
    }

    function redo(uint256 id, address keeper) external nonReentrant {
        Sale storage s = _saleOf(id);
        (bool needsReset,) = _price(s);
        if (!needsReset) revert ResetNotNeeded(id);
        s.topRay = _topRay(s);
        s.startedAt = uint64(block.timestamp);
        uint256 incentive;
        if (_lot(s).mulDivDown(_oracleRay(s), Math.RAY) >= s.leastTab) incentive = _payIncentive(s, keeper);
        emit Redo(id, keeper, s.topRay, incentive);
    }

    function take(
        uint256 id,
        uint256 maxLot,
        uint256 maxPriceRay,
        address to,
        bool receiveClaims,
        bytes calldata data
    ) external nonReentrant returns (uint256 bought, uint256 paid) {
        Sale storage s = _saleOf(id);
        (bool needsReset, uint256 priceRay) = _price(s);
        if (needsReset) revert NeedsReset(id);
        if (priceRay > maxPriceRay) revert TooExpensive(priceRay, maxPriceRay);
        uint256 lot = _lot(s);
        (bought, paid) = _purchase(s, lot, maxLot, priceRay);
        if (bought == 0) revert ZeroAmount();
        emit Take(id, msg.sender, s.account, priceRay, bought, paid, lot - bought, s.tab - paid);

        _deliver(s, bought, bought == lot, to, receiveClaims);
        if (data.length != 0) IAuctionCallee(to).onAuctionTake(msg.sender, bought, paid, data);
        _collect(s, paid);
        if (bought == lot || paid == s.tab) {
            _close(id, s);
        } else {
            uint256 cleared = uint256(s.dirtUsd).mulDivDown(paid, s.tab);
            s.tab -= uint128(paid);
            s.dirtUsd -= uint128(cleared);
            _clear(s.collateralAsset, cleared);
        }
    }

    // ---- Views

    function config() external view returns (Config memory) {
        return _config;
    }

    function list() external view returns (uint256[] memory) {
        return _running;
    }

    function sale(uint256 id) external view returns (Sale memory) {
        return _saleOf(id);
    }

    function status(uint256 id)
        external
        view
        returns (bool needsReset, uint256 priceRay, uint256 lot, uint256 tab)
    {
        Sale storage s = _saleOf(id);
        (needsReset, priceRay) = _price(s);
        return (needsReset, priceRay, _lot(s), s.tab);
    }

    // ---- Rules

    function _price(Sale storage s) internal view virtual returns (bool needsReset, uint256 priceRay) {
        uint256 elapsed = block.timestamp - s.startedAt;
        priceRay = curve.price(s.topRay, elapsed);
        needsReset = elapsed > _config.tail || priceRay.mulDivDown(Math.RAY, s.topRay) < _config.cuspRay;
    }

    /// @dev What a buyer of at most `maxLot` gets and pays: no more than it takes to raise the tab, and not so
    /// much that dust is left to be raised.
    function _purchase(Sale storage s, uint256 lot, uint256 maxLot, uint256 priceRay)
        internal
        view
        virtual
        returns (uint256 bought, uint256 paid)
    {
        uint256 tab = s.tab;
        bought = lot.min(maxLot);
        paid = bought.mulDivUp(priceRay, Math.RAY);
        if (paid > tab) {
            paid = tab;
            bought = bought.min(paid.mulDivDown(Math.RAY, priceRay));
        } else if (paid < tab && bought < lot && tab - paid < s.leastTab) {
            if (tab <= s.leastTab) revert NoPartialPurchase(tab, s.leastTab);
            paid = tab - s.leastTab;
            bought = paid.mulDivDown(Math.RAY, priceRay);
        }
    }

    /// @dev Takes what belongs to this auction out of the dirt.
    function _clear(address collateralAsset, uint256 usd) internal virtual {
        trigger.clear(collateralAsset, usd);
    }

    // ---- Parts

    function _deliver(Sale storage s, uint256 assets, bool whole, address to, bool asClaims) private {
        uint256 id = _idOf(s.collateralAsset);
        if (whole && asClaims) {
            _assign(id, to, s.scaledClaims, 0);
            s.scaledClaims = 0;
        } else {
            s.scaledClaims -= uint128(_payOut(id, s.collateralAsset, assets, to, asClaims));
        }
    }

    function _collect(Sale storage s, uint256 paid) private {
        if (paid == 0) return;
        IERC20(s.debtAsset).safeTransferFrom(msg.sender, address(this), paid);
        s.scaledDebt -= uint128(_payBack(_idOf(s.debtAsset), s.debtAsset, paid, s.scaledDebt));
    }

    function _close(uint256 id, Sale storage s) private {
        emit Closed(id, s.scaledClaims, s.scaledDebt);
        if (s.scaledClaims != 0) _assign(_idOf(s.collateralAsset), s.account, s.scaledClaims, 0);
        if (s.scaledDebt != 0) market.writeOff(s.account, s.debtAsset, s.scaledDebt);
        _clear(s.collateralAsset, s.dirtUsd);
        uint256 last = _running[_running.length - 1];
        uint256 place = _place[id];
        (_running[place], _place[last]) = (last, place);
        _running.pop();
        delete _place[id];
        delete _sales[id];
    }

    /// @dev Paid in claims, and added to what the sale answers for; nothing for dust, or the flat part could be
    /// had again and again for next to no debt. Returns debt assets.
    function _payIncentive(Sale storage s, address keeper) private returns (uint256 incentive) {
        if (s.tab < s.leastTab) return 0;
        incentive = uint256(s.tab).mulDivDown(_config.chipWad, Math.WAD);
        if (_config.tipUsd != 0) {
            incentive += uint256(_config.tipUsd).mulDivDown(_unit(s.debtAsset), market.priceWad(s.debtAsset));
        }
        if (incentive != 0) s.scaledDebt += uint128(market.draw(s.debtAsset, incentive, keeper));
    }

    function _saleOf(uint256 id) private view returns (Sale storage s) {
        s = _sales[id];
        if (s.account == address(0)) revert NotRunning(id);
    }

    function _lot(Sale storage s) private view returns (uint256) {
        (IPooledMarket.AssetState memory state,,) = market.assetState(s.collateralAsset);
        return PositionMath.claimsDown(s.scaledClaims, state.supplyIndexRay);
    }

    function _topRay(Sale storage s) private view returns (uint256 topRay) {
        topRay = _oracleRay(s).mulDivDown(_config.bufRay, Math.RAY);
        if (topRay == 0) revert ZeroAmount();
    }

    /// @dev Debt base units per collateral base unit at the market's prices, rounded down.
    function _oracleRay(Sale storage s) private view returns (uint256) {
        return (market.priceWad(s.collateralAsset) * _unit(s.debtAsset)).mulDivDown(
            Math.RAY, market.priceWad(s.debtAsset) * _unit(s.collateralAsset)
        );
    }

    function _unit(address asset) private view returns (uint256) {
        return 10 ** IERC20(asset).decimals();
    }
}
