// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClearingHouse} from "../clearing/ClearingHouse.sol";

/// @title ClearingTakesAnyOrder
/// @notice Planted bug, for CLR-7: whoever lists says who is first.
contract ClearingTakesAnyOrder is ClearingHouse {
    constructor(address a, address f) ClearingHouse(a, f) {}

    function _requireOrder(RoundData storage, bytes32, uint256) internal view override {}
}
