// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BudgetedClearingHouse} from "../clearing/BudgetedClearingHouse.sol";
import {ClearingHouse} from "../clearing/ClearingHouse.sol";

/// @title BudgetedAsksForAll
/// @notice Planted bug, for CLR-8: winners are asked for all that the funds left unpaid.
contract BudgetedAsksForAll is BudgetedClearingHouse {
    constructor(address a, address f, uint256 s) BudgetedClearingHouse(a, f, s) {}

    function _begin(Context memory c, RoundData storage r, bool closing, uint256 priced) internal override {
        ClearingHouse._begin(c, r, closing, priced);
    }
}
