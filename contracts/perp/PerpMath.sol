// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPerpTypes} from "../interfaces/IPerpTypes.sol";
import {Math} from "../libraries/Math.sol";

/// @title The arithmetic of perpetuals
/// @notice Shared by the exchange, which decides with it, and the lens, which reports with it. Of signed results
/// `Down` is towards minus infinity and `Up` towards plus infinity; what is towards zero says so.
library PerpMath {
    uint256 internal constant BPS = 1e4;
    uint256 internal constant PIPS = 1e6;
    uint256 internal constant DAY = 1 days;

    /// @notice A value does not fit the word it is packed in.
    error DoesNotFit();

    function abs(int256 a) internal pure returns (uint256) {
        return a < 0 ? uint256(-a) : uint256(a);
    }

    function clamp(int256 a, int256 bound) internal pure returns (int256) {
        if (a > bound) return bound;
        return a < -bound ? -bound : a;
    }

    /// @notice Above zero, or zero.
    function positive(int256 a) internal pure returns (uint256) {
        return a > 0 ? uint256(a) : 0;
    }

    function toInt(uint256 a) internal pure returns (int256) {
        if (a > uint256(type(int256).max)) revert DoesNotFit();
        return int256(a);
    }

    function toInt128(int256 a) internal pure returns (int128) {
        if (a > type(int128).max || a < type(int128).min) revert DoesNotFit();
        return int128(a);
    }

    function toUint128(uint256 a) internal pure returns (uint128) {
        if (a > type(uint128).max) revert DoesNotFit();
        return uint128(a);
    }

    /// @notice a * b / d, towards minus infinity. The product must fit a word: sizes, costs and prices are stored
    /// in 128 bits.
    function mulDivDown(int256 a, int256 b, uint256 d) internal pure returns (int256 quotient) {
        int256 product = a * b;
        int256 divisor = int256(d);
        unchecked {
            quotient = product / divisor;
            if (product < 0 && product % divisor != 0) --quotient;
        }
    }

    /// @notice a * b / d, towards plus infinity.
    function mulDivUp(int256 a, int256 b, uint256 d) internal pure returns (int256 quotient) {
        int256 product = a * b;
        int256 divisor = int256(d);
        unchecked {
            quotient = product / divisor;
            if (product > 0 && product % divisor != 0) ++quotient;
        }
    }

    /// @notice Words of two signed halves, and back.
    function pack(int256 high, int256 low) internal pure returns (uint256) {
        return uint256(uint128(toInt128(high))) << 128 | uint128(toInt128(low));
    }

    function highOf(uint256 word) internal pure returns (int256) {
        return int128(uint128(word >> 128));
    }

    function lowOf(uint256 word) internal pure returns (int256) {
        return int128(uint128(word));
    }

    // ---- Accounts

    function ownerOf(bytes32 account) internal pure returns (address) {
        return address(uint160(uint256(account) >> 96));
    }

    /// @notice The market an isolated account is for, plus one; 0 of a cross account.
    function isolatedMarketPlusOne(bytes32 account) internal pure returns (uint256) {
        return uint16(uint256(account) >> 80);
    }

    /// @notice An owner's cross account 0.
    function mainAccount(address owner) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(owner)) << 96);
    }

    // ---- Prices

    /// @notice USD to settlement tokens, towards zero.
    function quoteDown(uint256 usdWad, uint256 settlementUsdWad) internal pure returns (uint256) {
        return settlementUsdWad == Math.WAD ? usdWad : Math.mulDivDown(usdWad, Math.WAD, settlementUsdWad);
    }

    /// @notice skew / skewScale, at most one either way, towards zero.
    function skewShareWad(int256 skew, uint256 skewScale) internal pure returns (int256) {
        return clamp(skew * int256(Math.WAD) / toInt(skewScale), int256(Math.WAD));
    }

    /// @notice index * (1 + bounded premium), towards the index.
    function markPrice(uint256 indexWad, int256 premiumWad, uint256 boundBps) internal pure returns (uint256) {
        int256 bounded = clamp(premiumWad, toInt(boundBps * (Math.WAD / BPS)));
        uint256 distance = Math.mulDivDown(indexWad, abs(bounded), Math.WAD);
        return bounded < 0 ? indexWad - distance : indexWad + distance;
    }

    /// @notice The mean of the skew price before and after a trade, index * (1 + (skew + delta / 2) / skewScale),
    /// rounded against the trader; 0 where it would be below zero.
    function fillPrice(uint256 indexWad, int256 skew, int256 sizeDelta, uint256 skewScale)
        internal
        pure
        returns (uint256)
    {
        int256 twice = 2 * skew + sizeDelta;
        int256 distance = sizeDelta > 0
            ? mulDivUp(toInt(indexWad), twice, 2 * skewScale)
            : mulDivDown(toInt(indexWad), twice, 2 * skewScale);
        return positive(toInt(indexWad) + distance);
    }

    /// @notice Trading fee on a fill worth `value`, rounded up. What brings the skew to zero is making.
    function feeUp(uint256 value, int256 skew, int256 sizeDelta, uint256 makerPips, uint256 takerPips)
        internal
        pure
        returns (uint256)
    {
        uint256 size = abs(sizeDelta);
        uint256 making = (skew < 0) == (sizeDelta < 0) ? 0 : Math.min(size, abs(skew));
        return Math.mulDivUp(value, making * makerPips + (size - making) * takerPips, size * PIPS);
    }

    // ---- Accrual

    /// @notice A moving average of whose distance to `target` only `decayRay` is left, rounded towards zero.
    function decayed(int256 average, int256 target, uint256 decayRay) internal pure returns (int256) {
        return target + (average - target) * toInt(decayRay) / int256(Math.RAY);
    }

    /// @notice Funding rate per day, paid by longs, towards zero.
    function fundingRateWad(int256 skewShare, uint256 slopeWad, int256 interestWad, uint256 capWad)
        internal
        pure
        returns (int256)
    {
        return clamp(skewShare * toInt(slopeWad) / int256(Math.WAD) + interestWad, toInt(capWad));
    }

    /// @notice Funding of one unit of size over `elapsed` seconds, Wad, towards zero.
    function fundingGrowthWad(int256 rateWad, uint256 indexWad, uint256 elapsed) internal pure returns (int256) {
        return rateWad * toInt(indexWad) * toInt(elapsed) / int256(Math.WAD * DAY);
    }

    /// @notice Squared return per second, 1e36 is one, towards zero.
    function varianceRate(uint256 fromWad, uint256 toWad, uint256 elapsed) internal pure returns (uint256) {
        uint256 move = toWad > fromWad ? toWad - fromWad : fromWad - toWad;
        uint256 returnWad = Math.min(Math.mulDivDown(move, Math.WAD, fromWad), 1e6 * Math.WAD);
        return returnWad * returnWad / elapsed;
    }

    /// @notice What margins are multiplied with, rounded up.
    function marginScaleBpsUp(
        uint256 variance,
        uint256 targetWad,
        uint256 largerSide,
        uint256 skewScale,
        uint256 slopeBps,
        uint256 capBps
    ) internal pure returns (uint256 scale) {
        scale = BPS;
        if (targetWad != 0) {
            scale = Math.max(scale, Math.mulDivUp(Math.sqrtDown(variance * DAY), BPS, targetWad));
        }
        if (slopeBps != 0) scale += Math.mulDivUp(slopeBps, largerSide, skewScale);
        return Math.min(scale, capBps);
    }

    // ---- Positions

    /// @notice What a position would gain if closed at this price, funding aside.
    function profitDown(int256 size, int256 cost, uint256 priceWad, uint256 valueScale)
        internal
        pure
        returns (int256)
    {
        return mulDivDown(size, toInt(priceWad), valueScale) - cost;
    }

    /// @notice Funding a position owes since its index; below zero it is owed.
    function fundingUp(int256 size, int256 fundingIndexWad, int256 sinceWad, uint256 valueScale)
        internal
        pure
        returns (int256)
    {
        return mulDivUp(size, fundingIndexWad - sinceWad, valueScale);
    }

    /// @notice Initial, call and maintenance margin of a position, tier by tier.
    function marginsUp(IPerpTypes.Tier[] memory tiers, uint256 notional, uint256 scaleBps)
        internal
        pure
        returns (uint256 initial, uint256 call, uint256 maintenance)
    {
        uint256 from = 0;
        for (uint256 i = 0; i < tiers.length && notional > from; ++i) {
            IPerpTypes.Tier memory tier = tiers[i];
            uint256 part = Math.min(notional, tier.upTo) - from;
            initial += part * tier.initialBps;
            call += part * tier.callBps;
            maintenance += part * tier.maintenanceBps;
            from = tier.upTo;
        }
        initial = (initial * scaleBps + BPS * BPS - 1) / (BPS * BPS);
        call = (call * scaleBps + BPS * BPS - 1) / (BPS * BPS);
        maintenance = (maintenance * scaleBps + BPS * BPS - 1) / (BPS * BPS);
    }

    /// @notice The tier in which a notional ends.
    function tierOf(IPerpTypes.Tier[] memory tiers, uint256 notional)
        internal
        pure
        returns (IPerpTypes.Tier memory)
    {
        uint256 i = 0;
        while (i + 1 < tiers.length && notional > tiers[i].upTo) ++i;
        return tiers[i];
    }

    /// @notice Adds one position, at these prices, to what an account is worth.
    /// @param word size << 128 | cost.
    /// @param sinceWad The position's funding index.
    function addPosition(
        IPerpTypes.Valuation memory v,
        uint256 word,
        int256 sinceWad,
        IPerpTypes.MarketState memory market,
        IPerpTypes.Tier[] memory tiers,
        uint256 valueScale
    ) internal pure {
        int256 size = highOf(word);
        int256 profit = profitDown(size, lowOf(word), market.markWad, valueScale)
            - fundingUp(size, market.fundingIndexWad, sinceWad, valueScale);
        uint256 notional = (abs(size) * market.markWad + valueScale - 1) / valueScale;
        (uint256 initial, uint256 call, uint256 maintenance) = marginsUp(tiers, notional, market.marginScaleBps);
        v.equity += profit;
        v.unrealised += profit;
        v.notional += notional;
        v.initialMargin += initial;
        v.callMargin += call;
        v.maintenanceMargin += maintenance;
    }

    /// @notice Worth of a collateral in settlement units, haircut applied, rounded down.
    function collateralValueDown(
        uint256 amount,
        uint256 priceWad,
        uint256 tokenUnit,
        uint256 valueScale,
        uint256 haircutBps
    ) internal pure returns (uint256) {
        uint256 value = Math.mulDivDown(amount * Math.WAD / tokenUnit, priceWad, valueScale);
        return Math.mulDivDown(value, BPS - haircutBps, BPS);
    }
}
