// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClearingHouse} from "../clearing/ClearingHouse.sol";
import {Math} from "../libraries/Math.sol";

/// @title ClearingCountsTwice
/// @notice Planted bug, for the kit of deleveraging policies: what is closed of a winner counts as twice as much closed
/// of those in default.
contract ClearingCountsTwice is ClearingHouse {
    using Math for uint256;

    constructor(address a, address f) ClearingHouse(a, f) {}

    function _closeAgainst(
        Context memory c,
        RoundData storage r,
        Defaulter storage d,
        Closing memory k,
        Side storage side
    ) internal override returns (bool closed) {
        uint256 left = side.left;
        closed = super._closeAgainst(c, r, d, k, side);
        side.left = side.left.subFloor(left - side.left);
    }
}
