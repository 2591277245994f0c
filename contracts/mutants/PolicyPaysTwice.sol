// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BankruptcyPrice} from "../clearing/BankruptcyPrice.sol";
import {Math} from "../libraries/Math.sol";

/// @title PolicyPaysTwice
/// @notice Planted bug, for the kit of deleveraging policies: winners pay through the price, and with their profit.
contract PolicyPaysTwice is BankruptcyPrice {
    function payment(uint256 cap, uint256, uint256 loss, uint256)
        external
        pure
        override
        returns (uint256 amount, bool level)
    {
        return (Math.min(cap, loss), false);
    }
}
