// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HyperliquidQueue} from "../clearing/HyperliquidQueue.sol";

/// @title PolicyRanksByClock
/// @notice Planted bug, for the kit of deleveraging policies: who is first depends on when it is asked.
contract PolicyRanksByClock is HyperliquidQueue {
    function rank(Candidate calldata c) external view override returns (uint256) {
        return 1 + (uint256(keccak256(abi.encode(c.profit, block.timestamp / 3_600))) >> 128);
    }
}
