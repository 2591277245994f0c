// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "./IPooledMarket.sol";

/// @title A design of liquidation that a pooled market takes
/// @notice The market lets only its module liquidate (IPooledMarket.confiscate).
interface ILiquidationModule {
    error Reentrancy();
    error Healthy(address account, uint256 healthFactorWad);
    error NothingToSeize(address account, address collateralAsset);
    error NothingToRepay(address account, address debtAsset);
    error NotAdmin(address caller);
    error InvalidConfig(string field);
    error ZeroAmount();

    function market() external view returns (IPooledMarket);
}
