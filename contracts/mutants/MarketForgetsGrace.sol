// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title MarketForgetsGrace
/// @notice Planted bug, for PSE-1: liquidation opens at once after a pause.
contract MarketForgetsGrace is PooledMarket {
    constructor(address admin_, LiquidationConfig memory config) PooledMarket(admin_, config) {}

    function _requireLiquidationsOpen() internal pure override {}
}
