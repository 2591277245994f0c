// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A liquidator that pays after it has the collateral
interface IIsolatedLiquidationCallee {
    /// @notice Called by the market after it has sent `seizedAssets` of collateral and before it pulls
    /// `repaidAssets` of debt from the callee.
    /// @param data What the callee passed to `liquidate`.
    function onIsolatedLiquidation(uint256 repaidAssets, uint256 seizedAssets, bytes calldata data) external;
}
