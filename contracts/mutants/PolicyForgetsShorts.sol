// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HyperliquidQueue} from "../clearing/HyperliquidQueue.sol";

/// @title PolicyForgetsShorts
/// @notice Planted bug, for the kit of deleveraging policies: only longs have a place in line.
contract PolicyForgetsShorts is HyperliquidQueue {
    function rank(Candidate calldata c) external pure override returns (uint256) {
        return c.long ? 1 + c.profit : 0;
    }
}
