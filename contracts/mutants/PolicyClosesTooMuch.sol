// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HyperliquidQueue} from "../clearing/HyperliquidQueue.sol";

/// @title PolicyClosesTooMuch
/// @notice Planted bug, for the kit of deleveraging policies: all that is in default is closed against the first.
contract PolicyClosesTooMuch is HyperliquidQueue {
    function closing(uint256, uint256 total, uint256) external pure override returns (uint256) {
        return total;
    }
}
