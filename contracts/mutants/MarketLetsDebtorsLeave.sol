// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title MarketLetsDebtorsLeave
/// @notice Planted bug, for HLT-1: collateral is paid out without a look at the debts it secures, as when one way
/// out of a market forgets the check that all others make.
contract MarketLetsDebtorsLeave is PooledMarket {
    constructor(address admin_, LiquidationConfig memory config) PooledMarket(admin_, config) {}

    function _requireHealthy(address account) internal view override {}
}
