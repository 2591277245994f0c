// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HyperliquidQueue} from "../clearing/HyperliquidQueue.sol";

/// @title PolicyCapsAboveWealth
/// @notice Planted bug, for the kit of deleveraging policies: an account may be asked for twice what it can lose.
contract PolicyCapsAboveWealth is HyperliquidQueue {
    function terms(uint256 wealth, uint256) external pure override returns (uint256 cap, uint256 weight) {
        return (2 * wealth, 0);
    }
}
