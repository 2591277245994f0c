// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IIsolatedMarket} from "./IIsolatedMarket.sol";

/// @title Reduces the caller's own position in an isolated market: sells collateral, repays debt
/// @notice Needs to be the caller's operator in the market. Holds nothing between calls. The collateral leaves before
/// the debt is repaid, so the market's health check limits one step.
interface IIsolatedDeleverager {
    /// @param sold Collateral assets sold.
    /// @param repaid Debt assets repaid.
    event Deleveraged(address indexed market, address indexed account, uint256 sold, uint256 repaid);

    /// @notice Withdraws the caller's collateral, sells it as a forced trade of the market and repays the
    /// caller's debt; what is left over goes to the caller.
    /// @param withdrawAssets Collateral assets.
    /// @param minOut Least proceeds in debt assets.
    function deleverage(IIsolatedMarket market, uint256 withdrawAssets, uint256 minOut)
        external
        returns (uint256 repaid);
}
