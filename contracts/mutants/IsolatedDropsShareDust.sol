// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IsolatedMarket} from "../lending/IsolatedMarket.sol";

/// @title IsolatedDropsShareDust
/// @notice Planted bug, for ISO-2: the total of borrowed shares is rounded down to ten, the accounts' are not.
contract IsolatedDropsShareDust is IsolatedMarket {
    constructor(MarketConfig memory config) IsolatedMarket(config) {}

    function _store(MarketState memory state) internal override {
        state.totalBorrowShares -= state.totalBorrowShares % 10;
        super._store(state);
    }
}
