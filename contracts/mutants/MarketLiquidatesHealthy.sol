// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title MarketLiquidatesHealthy
/// @notice Planted bug, for LIQ-1: the boundary is on the wrong side, and accounts up to a health factor of 1.05
/// are liquidated.
contract MarketLiquidatesHealthy is PooledMarket {
    constructor(address admin_, LiquidationConfig memory config) PooledMarket(admin_, config) {}

    function _isLiquidatable(uint256 healthFactorWad) internal pure override returns (bool) {
        return healthFactorWad <= 1.05e18;
    }
}
