// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "../libraries/Math.sol";
import {PooledMarket} from "../lending/PooledMarket.sol";

/// @title MarketLendsDustForFree
/// @notice Planted bug, for RES-1: a new debt is rounded down, and the reserves pay what is missing.
contract MarketLendsDustForFree is PooledMarket {
    using Math for uint256;

    constructor(address admin_, LiquidationConfig memory config) PooledMarket(admin_, config) {}

    function _mintDebt(AssetState memory state, uint256 amount) internal view override returns (uint256 scaled) {
        if (state.reserves == 0) return super._mintDebt(state, amount);
        scaled = amount.mulDivDown(Math.RAY, state.borrowIndexRay);
        uint256 totalBefore = _totalDebt(state);
        state.totalScaledDebt += scaled;
        state.reserves = state.reserves + (_totalDebt(state) - totalBefore) - amount;
    }
}
