// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ProRata} from "../clearing/ProRata.sol";
import {Math} from "../libraries/Math.sol";

/// @title ProRataByPlace
/// @notice Planted bug, for CLR-4: shares are reckoned anew at every place in line, and rounded.
contract ProRataByPlace is ProRata {
    constructor(bool n, uint256 c) ProRata(n, c) {}

    function payment(uint256 cap, uint256 weight, uint256 loss, uint256 weights)
        external
        pure
        override
        returns (uint256 amount, bool level)
    {
        return (Math.min(cap, Math.mulDivUp(loss, weight, weights)), false);
    }
}
