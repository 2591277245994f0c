// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "./Math.sol";

/// @title The arithmetic of an isolated market
/// @notice Shared by the market, which decides with it, and the lens, which reports with it. Amounts are those
/// of Morpho Blue 1.0.0 (SharesMathLib.sol, MathLib.sol, ConstantsLib.sol, Morpho.sol), to the wei.
library IsolatedMath {
    using Math for uint256;

    /// @notice Shares that nobody owns. With VIRTUAL_ASSETS behind them they fix the first share price, and
    /// make it dear to move by a gift.
    uint256 internal constant VIRTUAL_SHARES = 1e6;
    uint256 internal constant VIRTUAL_ASSETS = 1;

    /// @notice One, in the unit of a price of collateral in debt, base unit for base unit.
    uint256 internal constant PRICE_SCALE = 1e36;

    uint256 internal constant INCENTIVE_CURSOR_WAD = 0.3e18;
    uint256 internal constant MAX_INCENTIVE_FACTOR_WAD = 1.15e18;

    /// @notice Health factor of an account without debt.
    uint256 internal constant NO_DEBT = type(uint256).max;

    function toSharesDown(uint256 assets, uint256 totalAssets, uint256 totalShares)
        internal
        pure
        returns (uint256)
    {
        return assets.mulDivDown(totalShares + VIRTUAL_SHARES, totalAssets + VIRTUAL_ASSETS);
    }

    function toSharesUp(uint256 assets, uint256 totalAssets, uint256 totalShares)
        internal
        pure
        returns (uint256)
    {
        return assets.mulDivUp(totalShares + VIRTUAL_SHARES, totalAssets + VIRTUAL_ASSETS);
    }

    function toAssetsDown(uint256 shares, uint256 totalAssets, uint256 totalShares)
        internal
        pure
        returns (uint256)
    {
        return shares.mulDivDown(totalAssets + VIRTUAL_ASSETS, totalShares + VIRTUAL_SHARES);
    }

    function toAssetsUp(uint256 shares, uint256 totalAssets, uint256 totalShares)
        internal
        pure
        returns (uint256)
    {
        return shares.mulDivUp(totalAssets + VIRTUAL_ASSETS, totalShares + VIRTUAL_SHARES);
    }

    /// @notice min(1.15, 1 / (1 - 0.3 (1 - LLTV))): the less room an LLTV leaves, the smaller the bonus.
    function incentiveFactorDown(uint256 lltvWad) internal pure returns (uint256 factorWad) {
        uint256 discountWad = INCENTIVE_CURSOR_WAD.mulDivDown(Math.WAD - lltvWad, Math.WAD);
        return MAX_INCENTIVE_FACTOR_WAD.min(Math.WAD.mulDivDown(Math.WAD, Math.WAD - discountWad));
    }

    /// @notice e^(rate * seconds) - 1 to its third term, each term rounded down.
    function growthDown(uint256 ratePerSecondWad, uint256 elapsed) internal pure returns (uint256 growthWad) {
        uint256 first = ratePerSecondWad * elapsed;
        uint256 second = first.mulDivDown(first, 2 * Math.WAD);
        uint256 third = second.mulDivDown(first, 3 * Math.WAD);
        return first + second + third;
    }

    /// @notice Price of a base unit of collateral in base units of debt, in PRICE_SCALE, from USD prices per
    /// whole token and the base units of a whole token.
    function priceDown(
        uint256 collateralPriceWad,
        uint256 debtPriceWad,
        uint256 collateralUnit,
        uint256 debtUnit
    ) internal pure returns (uint256) {
        return (collateralPriceWad * debtUnit).mulDivDown(PRICE_SCALE, debtPriceWad * collateralUnit);
    }

    /// @notice The largest debt that leaves this collateral healthy.
    function maxDebtDown(uint256 collateral, uint256 price, uint256 lltvWad) internal pure returns (uint256) {
        return collateral.mulDivDown(price, PRICE_SCALE).mulDivDown(lltvWad, Math.WAD);
    }

    /// @notice maxDebt / debt: below 1 (Wad) exactly where the debt exceeds the largest allowed.
    function healthFactorDown(uint256 maxDebt, uint256 debt) internal pure returns (uint256) {
        return debt == 0 ? NO_DEBT : maxDebt.mulDivDown(Math.WAD, debt);
    }
}
