// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title MarketForgetsDeficit
/// @notice Planted bug, for MKT-1: bad debt is written off without a trace, as lending markets did before
/// they kept a deficit.
contract MarketForgetsDeficit is PooledMarket {
    constructor(address admin_, LiquidationConfig memory config) PooledMarket(admin_, config) {}

    function _writeOff(Account memory borrower) internal override {
        super._writeOff(borrower);
        for (uint256 id = 0; id < borrower.states.length; ++id) {
            borrower.states[id].deficit = _books[id].deficit;
        }
    }
}
