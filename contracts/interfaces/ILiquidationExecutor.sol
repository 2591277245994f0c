// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "./IPooledMarket.sol";

/// @title Liquidates and sells what was seized, in one transaction
/// @notice Holds nothing between calls: the caller puts up the debt assets and gets everything. Liquidates by the
/// market's module where it has one, which must be an IDiscountLiquidation.
interface ILiquidationExecutor {
    /// @param repaid Debt assets the liquidation took.
    /// @param seized Collateral assets it paid, all sold.
    /// @param proceeds Debt assets the sale brought.
    event LiquidationExecuted(
        address indexed liquidator,
        address indexed market,
        address indexed account,
        address collateralAsset,
        address debtAsset,
        uint256 repaid,
        uint256 seized,
        uint256 proceeds
    );

    /// @notice The sale brought less than `needed`, the amount repaid plus the profit asked for.
    error Unprofitable(uint256 proceeds, uint256 needed);

    /// @notice Liquidates with the caller's tokens, sells everything seized as a forced trade of the market,
    /// and pays the proceeds, with what was not needed, to the caller.
    /// @param repayAssets Taken from the caller; type(uint256).max for what the market would allow now.
    /// @param minProfit In debt assets; the whole transaction reverts below it.
    /// @return profit Proceeds less the amount repaid, in debt assets.
    function liquidate(
        IPooledMarket market,
        address account,
        address collateralAsset,
        address debtAsset,
        uint256 repayAssets,
        uint256 minProfit
    ) external returns (uint256 profit);
}
