// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDeleveragingPolicy} from "../interfaces/IDeleveragingPolicy.sol";
import {Math} from "../libraries/Math.sol";

/// @title ProRata
/// @notice Everybody pays in proportion to its weight, and nobody more than a share of its wealth: water-filling.
/// By rising cap / weight, an account pays its cap as long as that is below its share of what is left; from
/// the first that is not, all pay the same share. Equal accounts pay the same to the wei; what rounding leaves
/// over is left unpaid. See IDeleveragingPolicy.
contract ProRata is IDeleveragingPolicy {
    using Math for uint256;

    uint256 private constant BPS = 1e4;

    /// @notice Weighed by notional, or by wealth.
    bool public immutable byNotional;

    /// @notice Largest share of its wealth that an account pays.
    uint256 public immutable capBps;

    error InvalidCap(uint256 capBps);

    constructor(bool byNotional_, uint256 capBps_) {
        if (capBps_ == 0 || capBps_ > BPS) revert InvalidCap(capBps_);
        byNotional = byNotional_;
        capBps = capBps_;
    }

    function atBankruptcyPrice() external pure returns (bool) {
        return false;
    }

    function rank(Candidate calldata c) external view returns (uint256) {
        (uint256 cap, uint256 weight) = terms(c.wealth, c.notional);
        if (weight == 0) return type(uint128).max;
        return type(uint128).max - cap.mulDivDown(Math.WAD, weight).min(type(uint128).max - 1);
    }

    function terms(uint256 wealth, uint256 notional) public view returns (uint256 cap, uint256 weight) {
        return (wealth.mulDivDown(capBps, BPS), byNotional ? notional : wealth);
    }

    function payment(uint256 cap, uint256 weight, uint256 loss, uint256 weights)
        external
        view
        virtual
        returns (uint256 amount, bool level)
    {
        amount = weights == 0 ? 0 : loss.mulDivDown(weight, weights);
        return amount < cap ? (amount, true) : (cap, false);
    }

    function closing(uint256 size, uint256 total, uint256 closable) external pure returns (uint256) {
        return total >= closable ? size : total.mulDivDown(size, closable);
    }
}
