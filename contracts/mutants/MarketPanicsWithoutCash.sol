// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title MarketPanicsWithoutCash
/// @notice Planted bug, for PAN-1: that there is not enough cash is left to the compiler's check, so that nobody
/// learns why an action failed.
contract MarketPanicsWithoutCash is PooledMarket {
    constructor(address admin_, LiquidationConfig memory config) PooledMarket(admin_, config) {}

    function _payCash(AssetState memory state, address, uint256 amount) internal pure override {
        state.cash -= amount;
    }
}
