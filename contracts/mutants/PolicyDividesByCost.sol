// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HyperliquidQueue} from "../clearing/HyperliquidQueue.sol";

/// @title PolicyDividesByCost
/// @notice Planted bug, for the kit of deleveraging policies: a position that cost nothing cannot be ranked, and the
/// line is never complete.
contract PolicyDividesByCost is HyperliquidQueue {
    function rank(Candidate calldata c) external pure override returns (uint256) {
        return 1 + 1e18 * c.profit / c.cost;
    }
}
