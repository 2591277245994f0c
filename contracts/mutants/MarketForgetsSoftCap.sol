// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title MarketForgetsSoftCap
/// @notice Planted bug, for CAP-1: soft caps are on record and nothing more.
contract MarketForgetsSoftCap is PooledMarket {
    constructor(address admin_, LiquidationConfig memory config) PooledMarket(admin_, config) {}

    function _overSoftCapsUsdUp(Account memory) internal pure override returns (uint256) {
        return 0;
    }
}
