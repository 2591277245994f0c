// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PerpLiquidation} from "../perp/PerpLiquidation.sol";

/// @title PerpLiquidatesHealthy
/// @notice Planted bug, for PRP-3: accounts are liquidated as soon as they can be called.
contract PerpLiquidatesHealthy is PerpLiquidation {
    function _isLiquidatable(Valuation memory v) internal pure override returns (bool) {
        return v.equity < int256(v.callMargin);
    }
}
