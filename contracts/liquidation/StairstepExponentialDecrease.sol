// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceCurve} from "../interfaces/IPriceCurve.sol";
import {Math} from "../libraries/Math.sol";

/// @title StairstepExponentialDecrease
/// @notice top * (1 - cut) ^ floor(elapsed / step).
contract StairstepExponentialDecrease is IPriceCurve {
    using Math for uint256;

    /// @notice Seconds between two falls.
    uint256 public immutable step;

    /// @notice What each takes off the price, below 1 (Ray).
    uint256 public immutable cutRay;

    constructor(uint256 step_, uint256 cutRay_) {
        if (step_ == 0 || cutRay_ >= Math.RAY) revert InvalidCurve();
        step = step_;
        cutRay = cutRay_;
    }

    function price(uint256 top, uint256 elapsed) external view returns (uint256) {
        return top.mulDivDown(Math.rpowNearest(Math.RAY - cutRay, elapsed / step), Math.RAY);
    }
}
