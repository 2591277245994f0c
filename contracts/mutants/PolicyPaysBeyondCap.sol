// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HyperliquidQueue} from "../clearing/HyperliquidQueue.sol";

/// @title PolicyPaysBeyondCap
/// @notice Planted bug, for the kit of deleveraging policies: the first in line is asked for the whole loss.
contract PolicyPaysBeyondCap is HyperliquidQueue {
    function payment(uint256, uint256, uint256 loss, uint256)
        external
        pure
        override
        returns (uint256 amount, bool level)
    {
        return (loss, false);
    }
}
