// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClearingHouse} from "../clearing/ClearingHouse.sol";

/// @title ClearingSparesVault
/// @notice Planted bug, for CLR-3: the last step pays nothing.
contract ClearingSparesVault is ClearingHouse {
    constructor(address a, address f) ClearingHouse(a, f) {}

    function _chargeVault(Context memory, RoundData storage) internal override {}
}
