// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title MarketLendsForFree
/// @notice Planted bug, for FLS-1: the fee of flash loans is forgotten.
contract MarketLendsForFree is PooledMarket {
    constructor(address admin_, LiquidationConfig memory config) PooledMarket(admin_, config) {}

    function _flashLoanFeeUp(uint256) internal pure override returns (uint256) {
        return 0;
    }
}
