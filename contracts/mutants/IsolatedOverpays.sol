// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IsolatedMath} from "../libraries/IsolatedMath.sol";
import {IsolatedMarket} from "../lending/IsolatedMarket.sol";

/// @title IsolatedOverpays
/// @notice Planted bug, for ISO-5: liquidators are paid the largest incentive whatever the LLTV.
contract IsolatedOverpays is IsolatedMarket {
    constructor(MarketConfig memory config) IsolatedMarket(config) {}

    function _incentiveFactorWad() internal pure override returns (uint256) {
        return IsolatedMath.MAX_INCENTIVE_FACTOR_WAD;
    }
}
