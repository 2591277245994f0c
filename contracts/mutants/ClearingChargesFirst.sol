// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClearingHouse} from "../clearing/ClearingHouse.sol";

/// @title ClearingChargesFirst
/// @notice Planted bug, for the kit of deleveraging policies: whoever's turn it is, the first in line is charged as
/// far as it goes.
contract ClearingChargesFirst is ClearingHouse {
    constructor(address a, address f) ClearingHouse(a, f) {}

    function _haircut(Context memory c, RoundData storage r, bytes32 account, uint256 due)
        internal
        override
        returns (uint256 paid)
    {
        paid = super._haircut(c, r, _line(r).entries[0].account, due);
        return paid == 0 ? super._haircut(c, r, account, due) : paid;
    }
}
