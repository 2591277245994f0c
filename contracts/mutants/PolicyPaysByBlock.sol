// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HyperliquidQueue} from "../clearing/HyperliquidQueue.sol";
import {Math} from "../libraries/Math.sol";

/// @title PolicyPaysByBlock
/// @notice Planted bug, for the kit of deleveraging policies: what an account pays depends on the block.
contract PolicyPaysByBlock is HyperliquidQueue {
    function payment(uint256 cap, uint256, uint256 loss, uint256)
        external
        view
        override
        returns (uint256 amount, bool level)
    {
        return (Math.min(cap / (1 + block.number % 3), loss), false);
    }
}
