// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IsolatedMarket} from "../lending/IsolatedMarket.sol";

/// @title IsolatedForgetsBadDebt
/// @notice Planted bug, for ISO-1: bad debt is taken off the borrowers' total only, and the last suppliers find
/// nothing to withdraw.
contract IsolatedForgetsBadDebt is IsolatedMarket {
    constructor(MarketConfig memory config) IsolatedMarket(config) {}

    function _settle(MarketState memory state, Plan memory plan) internal view override {
        super._settle(state, plan);
        state.totalSupplyAssets += plan.badDebtAssets;
    }
}
