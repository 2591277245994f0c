// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {Math} from "./Math.sol";

/// @title What a pooled-market position is worth
/// @notice Shared by the market, which decides with it, and the lens, which reports with it.
library PositionMath {
    using Math for uint256;

    uint256 internal constant BPS = 1e4;

    /// @notice Health factor of an account without debt.
    uint256 internal constant NO_DEBT = type(uint256).max;

    /// @notice A position's two halves: claims << 128 | debt, scaled or in assets.
    function split(uint256 word) internal pure returns (uint256 claims, uint256 debt) {
        return (word >> 128, uint128(word));
    }

    function join(uint256 claims, uint256 debt) internal pure returns (uint256 word) {
        return claims << 128 | debt;
    }

    /// @notice Assets behind scaled claims, rounded down.
    function claimsDown(uint256 scaled, uint256 supplyIndexRay) internal pure returns (uint256) {
        return scaled.mulDivDown(supplyIndexRay, Math.RAY);
    }

    /// @notice Assets owed for scaled debt, rounded up.
    function debtUp(uint256 scaled, uint256 borrowIndexRay) internal pure returns (uint256) {
        return scaled.mulDivUp(borrowIndexRay, Math.RAY);
    }

    /// @notice A scaled position word in assets.
    function toAssets(uint256 scaledWord, IPooledMarket.AssetTerms memory terms)
        internal
        pure
        returns (uint256 claims, uint256 debt)
    {
        (uint256 scaledClaims, uint256 scaledDebt) = split(scaledWord);
        claims = scaledClaims == 0 ? 0 : claimsDown(scaledClaims, terms.supplyIndexRay);
        debt = scaledDebt == 0 ? 0 : debtUp(scaledDebt, terms.borrowIndexRay);
    }

    /// @notice A scaled position word in USD (Wad): claims rounded down, debt rounded up.
    function toUsd(uint256 scaledWord, IPooledMarket.AssetTerms memory terms)
        internal
        pure
        returns (uint256 claimsUsd, uint256 debtUsd)
    {
        (uint256 claims, uint256 debt) = toAssets(scaledWord, terms);
        if (claims != 0) claimsUsd = claims.mulDivDown(terms.priceWad, terms.unit);
        if (debt != 0) debtUsd = debt.mulDivUp(terms.priceWad, terms.unit);
    }

    /// @notice sum(claims x liquidation threshold) / debt, Wad, rounded down.
    /// @param thresholdUsdBps sum(claims in USD Wad x threshold in Bps).
    function healthFactorDown(uint256 thresholdUsdBps, uint256 debtUsd) internal pure returns (uint256) {
        return debtUsd == 0 ? NO_DEBT : thresholdUsdBps.mulDivDown(Math.WAD / BPS, debtUsd);
    }
}
