// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IIsolatedMarket} from "./IIsolatedMarket.sol";

/// @title Liquidates without capital
/// @notice Seizes, sells everything seized as a forced trade of the market, and pays the debt out of the
/// proceeds, in one transaction. Holds nothing between calls.
interface IIsolatedLiquidator {
    /// @param proceeds Debt assets the sale brought.
    event LiquidationExecuted(
        address indexed liquidator,
        address indexed market,
        address indexed account,
        uint256 repaid,
        uint256 seized,
        uint256 proceeds
    );

    /// @notice The sale brought less than `needed`, the amount repaid plus the profit asked for.
    error Unprofitable(uint256 proceeds, uint256 needed);

    /// @notice Called back by another contract than the market that is being liquidated in.
    error NotMarket(address caller);

    /// @param seizedAssets,repaidShares As IIsolatedMarket.liquidate takes them.
    /// @param minProfit In debt assets; the whole transaction reverts below it.
    /// @return profit Paid to the caller, in debt assets.
    function liquidate(
        IIsolatedMarket market,
        address account,
        uint256 seizedAssets,
        uint256 repaidShares,
        uint256 minProfit
    ) external returns (uint256 profit);
}
