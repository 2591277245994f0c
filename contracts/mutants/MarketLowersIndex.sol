// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "../libraries/Math.sol";
import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title MarketLowersIndex
/// @notice Planted bug, for IDX-1: suppliers pay for bad debt at once, through their index. The books balance.
contract MarketLowersIndex is PooledMarket {
    using Math for uint256;

    constructor(address admin_, LiquidationConfig memory config) PooledMarket(admin_, config) {}

    function _writeOff(Account memory borrower) internal override {
        super._writeOff(borrower);
        for (uint256 id = 0; id < borrower.states.length; ++id) {
            AssetState memory state = borrower.states[id];
            uint256 claims = _totalClaims(state);
            uint256 loss = state.deficit.min(claims);
            if (loss == 0) continue;
            state.supplyIndexRay = state.supplyIndexRay.mulDivDown(claims - loss, claims);
            uint256 charged = claims - _totalClaims(state);
            state.reserves += charged - loss;
            state.deficit -= loss;
        }
    }
}
