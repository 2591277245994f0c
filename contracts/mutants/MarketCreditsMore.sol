// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title MarketCreditsMore
/// @notice Planted bug, for ATK-2: an account is credited a thousandth more than the market's total of claims grows by.
contract MarketCreditsMore is PooledMarket {
    constructor(address admin_, LiquidationConfig memory config) PooledMarket(admin_, config) {}

    function _setScaled(address account, uint256 id, uint256 claims, uint256 debt) internal override {
        super._setScaled(account, id, claims + claims / 1_000, debt);
    }
}
