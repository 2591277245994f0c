// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClearingHouse} from "../clearing/ClearingHouse.sol";

/// @title ClearingSkipsInsurance
/// @notice Planted bug, for CLR-1: members pay although the insurance fund has money.
contract ClearingSkipsInsurance is ClearingHouse {
    constructor(address a, address f) ClearingHouse(a, f) {}

    function _insuranceSpare(Context memory c) internal view override returns (uint256) {
        return super._insuranceSpare(c) / 2;
    }
}
