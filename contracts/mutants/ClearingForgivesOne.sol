// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClearingHouse} from "../clearing/ClearingHouse.sol";
import {Math} from "../libraries/Math.sol";

/// @title ClearingForgivesOne
/// @notice Planted bug, for CLR-5: a unit of every loss is lost sight of.
contract ClearingForgivesOne is ClearingHouse {
    constructor(address a, address f) ClearingHouse(a, f) {}

    function _payFromFunds(Context memory c, RoundData storage r, bytes32 account, uint256 loss, bool open_)
        internal
        override
        returns (uint256)
    {
        return Math.subFloor(super._payFromFunds(c, r, account, loss, open_), 1);
    }
}
