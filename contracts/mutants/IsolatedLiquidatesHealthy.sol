// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IsolatedMarket} from "../lending/IsolatedMarket.sol";

/// @title IsolatedLiquidatesHealthy
/// @notice Planted bug, for ISO-3: accounts up to a health factor of 1.05 are liquidated.
contract IsolatedLiquidatesHealthy is IsolatedMarket {
    constructor(MarketConfig memory config) IsolatedMarket(config) {}

    function _isLiquidatable(uint256 healthFactorWad) internal pure override returns (bool) {
        return healthFactorWad <= 1.05e18;
    }
}
