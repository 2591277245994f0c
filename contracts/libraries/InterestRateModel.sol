// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "./Math.sol";

/// @title Kinked interest, compounded
/// @notice Rates are Ray per year of 365 days. The curve is Aave's
/// (DefaultReserveInterestRateStrategyV2.sol) and Compound's JumpRateModel; the growth is the
/// three-term series of e^(rate * time) that Aave (MathUtils.calculateCompoundedInterest) and Morpho
/// Blue (MathLib.wTaylorCompounded) use.
library InterestRateModel {
    using Math for uint256;

    uint256 internal constant SECONDS_PER_YEAR = 365 days;

    /// @notice debt / (cash + debt), rounded down; 0 without debt.
    function utilisationRay(uint256 cash, uint256 debt) internal pure returns (uint256) {
        return debt == 0 ? 0 : debt.mulDivDown(Math.RAY, cash + debt);
    }

    /// @notice Borrow rate at a utilisation, rounded down. `kinkRay` is above 0 and below 1.
    function borrowRateRay(
        uint256 utilisation,
        uint256 baseRateRay,
        uint256 slope1Ray,
        uint256 slope2Ray,
        uint256 kinkRay
    ) internal pure returns (uint256) {
        if (utilisation <= kinkRay) return baseRateRay + slope1Ray.mulDivDown(utilisation, kinkRay);
        return baseRateRay + slope1Ray
            + slope2Ray.mulDivDown(utilisation - kinkRay, Math.RAY - kinkRay);
    }

    /// @notice e^(rate * seconds / year) - 1 to its third term, each term rounded down.
    function growthRay(uint256 rateRay, uint256 elapsed) internal pure returns (uint256) {
        uint256 first = rateRay.mulDivDown(elapsed, SECONDS_PER_YEAR);
        uint256 second = first.mulDivDown(first, 2 * Math.RAY);
        uint256 third = second.mulDivDown(first, 3 * Math.RAY);
        return first + second + third;
    }
}
