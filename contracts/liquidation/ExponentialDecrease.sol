// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceCurve} from "../interfaces/IPriceCurve.sol";
import {Math} from "../libraries/Math.sol";

/// @title ExponentialDecrease
/// @notice top * (1 - cut) ^ elapsed.
contract ExponentialDecrease is IPriceCurve {
    using Math for uint256;

    /// @notice What each second takes off the price, below 1 (Ray).
    uint256 public immutable cutRay;

    constructor(uint256 cutRay_) {
        if (cutRay_ >= Math.RAY) revert InvalidCurve();
        cutRay = cutRay_;
    }

    function price(uint256 top, uint256 elapsed) external view returns (uint256) {
        return top.mulDivDown(Math.rpowNearest(Math.RAY - cutRay, elapsed), Math.RAY);
    }
}
