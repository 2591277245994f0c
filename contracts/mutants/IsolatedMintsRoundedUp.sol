// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IsolatedMath} from "../libraries/IsolatedMath.sol";
import {IsolatedMarket} from "../lending/IsolatedMarket.sol";

/// @title IsolatedMintsRoundedUp
/// @notice Planted bug, for ISO-4: a supplier's shares are rounded in its favour, at the others' expense.
contract IsolatedMintsRoundedUp is IsolatedMarket {
    constructor(MarketConfig memory config) IsolatedMarket(config) {}

    function _mintedSupplyShares(uint256 assets, MarketState memory state)
        internal
        pure
        override
        returns (uint256)
    {
        return IsolatedMath.toSharesUp(assets, state.totalSupplyAssets, state.totalSupplyShares);
    }
}
