// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title MarketDropsDebtDust
/// @notice Planted bug, for MKT-2: an account's debt is rounded down to ten units, and the total is not.
contract MarketDropsDebtDust is PooledMarket {
    constructor(address admin_, LiquidationConfig memory config) PooledMarket(admin_, config) {}

    function _setScaled(address account, uint256 id, uint256 claims, uint256 debt) internal override {
        super._setScaled(account, id, claims, debt - debt % 10);
    }
}
