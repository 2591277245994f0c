// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceCurve} from "../interfaces/IPriceCurve.sol";
import {Math} from "../libraries/Math.sol";

/// @title LinearDecrease
/// @notice top * (tau - elapsed) / tau, and 0 from tau on.
contract LinearDecrease is IPriceCurve {
    using Math for uint256;

    /// @notice Seconds until the price is zero.
    uint256 public immutable tau;

    constructor(uint256 tau_) {
        if (tau_ == 0) revert InvalidCurve();
        tau = tau_;
    }

    function price(uint256 top, uint256 elapsed) external view returns (uint256) {
        return elapsed >= tau ? 0 : top.mulDivDown((tau - elapsed) * Math.RAY / tau, Math.RAY);
    }
}
