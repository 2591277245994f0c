// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClearingHouse} from "../clearing/ClearingHouse.sol";

/// @title ClearingOvercharges
/// @notice Planted bug, for CLR-2: at the bankruptcy price positions are closed whatever that costs their owner.
contract ClearingOvercharges is ClearingHouse {
    constructor(address a, address f) ClearingHouse(a, f) {}

    function _affordable(uint256, uint256, uint256) internal pure override returns (uint256) {
        return type(uint256).max;
    }
}
