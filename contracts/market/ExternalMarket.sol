// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IExternalMarket} from "../interfaces/IExternalMarket.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title ExternalMarket
/// @dev In usd wei the curve's usd reserve is A / _unit, where _unit = 10^(8 + base decimals) and
/// A = P 10^(usd decimals) D^2 / (D + q), rounded against the trader, keeps 8 digits more than the amounts.
/// Selling b pays A b / ((D + q + b) _unit); spending u buys (D + q) u _unit / (A + u _unit).
contract ExternalMarket is IExternalMarket {
    using SafeTransfer for IERC20;

    uint256 private constant PIPS = 1e6;
    uint256 private constant MAX_DEPTH = 1 << 120;

    IERC20 public immutable base;
    IERC20 public immutable usd;
    address public immutable publisher;
    uint256 public immutable depthBase;
    uint256 public immutable recoveryPerSecondRay;
    uint24 public immutable feePips;

    uint256 private immutable _unit;
    uint256 private immutable _usdUnit;

    /// @dev One slot: P, and q as it stood at _tradedAt.
    uint64 private _fundamental;
    uint64 private _tradedAt;
    int128 private _displacement;

    constructor(
        IERC20 base_,
        IERC20 usd_,
        address publisher_,
        uint256 depthBase_,
        uint256 recoveryPerSecondRay_,
        uint24 feePips_,
        uint256 initialPrice
    ) {
        if (
            depthBase_ == 0 || depthBase_ > MAX_DEPTH || feePips_ >= PIPS
                || recoveryPerSecondRay_ > Math.RAY || address(base_) == address(usd_)
        ) revert InvalidParameter();
        base = base_;
        usd = usd_;
        publisher = publisher_;
        depthBase = depthBase_;
        recoveryPerSecondRay = recoveryPerSecondRay_;
        feePips = feePips_;
        _unit = 10 ** (8 + uint256(base_.decimals()));
        _usdUnit = 10 ** uint256(usd_.decimals());
        _setFundamental(initialPrice);
    }

    // --- reading ---

    function fundamental() external view returns (uint256) {
        return _fundamental;
    }

    function displacement() public view returns (int256) {
        int256 last = _displacement;
        uint256 elapsed = block.timestamp - _tradedAt;
        if (last == 0 || elapsed == 0 || recoveryPerSecondRay == Math.RAY) return last;
        uint256 kept = Math.rpowNearest(recoveryPerSecondRay, elapsed);
        return last > 0
            ? int256(Math.mulDivDown(uint256(last), kept, Math.RAY))
            : -int256(Math.mulDivDown(uint256(-last), kept, Math.RAY));
    }

    function price() external view returns (uint256) {
        return _priceDown(_baseReserve(displacement()));
    }

    function state() external view returns (uint256, uint256, int256) {
        int256 q = displacement();
        return (_priceDown(_baseReserve(q)), _fundamental, q);
    }

    function quoteSell(uint256 baseIn) external view returns (uint256 usdOut) {
        (usdOut,) = _quoteSellDown(baseIn, displacement());
    }

    function quoteBuy(uint256 usdIn) external view returns (uint256 baseOut) {
        (baseOut,) = _quoteBuyDown(usdIn, displacement());
    }

    // --- acting ---

    function publish(uint256 newPrice) external {
        if (msg.sender != publisher) revert NotPublisher(msg.sender);
        _setFundamental(newPrice);
    }

    function sell(uint256 baseIn, uint256 minUsdOut, address to) external returns (uint256 usdOut) {
        int256 q;
        (usdOut, q) = _quoteSellDown(baseIn, displacement());
        _settle(q, base, baseIn, usd, usdOut, minUsdOut, to);
        emit Trade(msg.sender, true, baseIn, usdOut, _priceDown(_baseReserve(q)));
    }

    function buy(uint256 usdIn, uint256 minBaseOut, address to) external returns (uint256 baseOut) {
        int256 q;
        (baseOut, q) = _quoteBuyDown(usdIn, displacement());
        _settle(q, usd, usdIn, base, baseOut, minBaseOut, to);
        emit Trade(msg.sender, false, baseOut, usdIn, _priceDown(_baseReserve(q)));
    }

    // --- the curve ---

    /// @dev D + q, above zero: no purchase empties a constant-product curve.
    function _baseReserve(int256 q) private view returns (uint256) {
        return uint256(int256(depthBase) + q);
    }

    function _priceDown(uint256 reserve) private view returns (uint256) {
        return Math.mulDivDown(
            Math.mulDivDown(_fundamental * depthBase, depthBase, reserve), 1, reserve
        );
    }

    /// @dev Output, and the displacement it leaves. Only what is net of the fee moves the price.
    function _quoteSellDown(uint256 baseIn, int256 q) private view returns (uint256 usdOut, int256 newQ) {
        uint256 reserve = _baseReserve(q);
        uint256 netIn = _netDown(baseIn);
        uint256 curve = Math.mulDivDown(_fundamental * depthBase * _usdUnit, depthBase, reserve);
        usdOut = Math.mulDivDown(curve, netIn, (reserve + netIn) * _unit);
        newQ = q + int256(netIn);
    }

    function _quoteBuyDown(uint256 usdIn, int256 q) private view returns (uint256 baseOut, int256 newQ) {
        uint256 reserve = _baseReserve(q);
        uint256 netIn = _netDown(usdIn);
        uint256 curve = Math.mulDivUp(_fundamental * depthBase * _usdUnit, depthBase, reserve);
        uint256 added = netIn * _unit;
        baseOut = Math.mulDivDown(reserve, added, curve + added);
        newQ = q - int256(baseOut);
    }

    /// @dev What the fee leaves of an input.
    function _netDown(uint256 amountIn) private view returns (uint256 netIn) {
        netIn = Math.mulDivDown(amountIn, PIPS - feePips, PIPS);
        if (netIn == 0 || netIn > type(uint128).max) revert InvalidAmount();
    }

    function _settle(
        int256 newQ,
        IERC20 tokenIn,
        uint256 amountIn,
        IERC20 tokenOut,
        uint256 amountOut,
        uint256 minOut,
        address to
    ) private {
        if (amountOut == 0 || newQ > type(int128).max) revert InvalidAmount();
        if (amountOut < minOut) revert SlippageExceeded(amountOut, minOut);
        uint256 available = tokenOut.balanceOf(address(this));
        if (available < amountOut) {
            revert InsufficientInventory(address(tokenOut), available, amountOut);
        }
        _displacement = int128(newQ);
        _tradedAt = uint64(block.timestamp);
        tokenIn.safeTransferFrom(msg.sender, address(this), amountIn);
        tokenOut.safeTransfer(to, amountOut);
    }

    function _setFundamental(uint256 newPrice) private {
        if (newPrice == 0 || newPrice > type(uint64).max) revert InvalidPrice(newPrice);
        _fundamental = uint64(newPrice);
        emit Published(newPrice);
    }
}
