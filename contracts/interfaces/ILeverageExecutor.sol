// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExternalMarket} from "./IExternalMarket.sol";
import {IPooledMarket} from "./IPooledMarket.sol";

/// @title Buys collateral outside, borrows against it and sells the debt outside, in one transaction
/// @notice Holds nothing between calls: the caller puts up the usd and gets what the debt brings; collateral and debt
/// are the caller's, who has made this its operator in the market. Where a market values collateral above what it
/// costs outside, this takes the difference out of the market.
interface ILeverageExecutor {
    /// @param spent Usd.
    /// @param supplied Collateral assets that it bought.
    /// @param borrowed Debt assets.
    /// @param received Usd that selling them brought.
    event Leveraged(
        address indexed account,
        address indexed market,
        uint256 spent,
        uint256 supplied,
        uint256 borrowed,
        uint256 received
    );

    /// @notice The market lends nothing against what was bought, or has nothing to lend.
    error NothingToBorrow(uint256 limit, uint256 cash);

    /// @notice Selling the debt brought less than `needed`.
    error Unprofitable(uint256 received, uint256 needed);

    /// @param collateral Where the collateral is bought; its base asset is listed in `market`.
    /// @param debt Where the debt is sold; its base asset is listed in `market`.
    /// @param usdIn Taken from the caller.
    /// @param shareBps Share of what the LTV allows against the collateral bought that is borrowed; less where
    /// the market has less cash.
    /// @param minReceived Usd; the whole transaction reverts below it.
    function leverage(
        IPooledMarket market,
        IExternalMarket collateral,
        IExternalMarket debt,
        uint256 usdIn,
        uint256 shareBps,
        uint256 minReceived
    ) external returns (uint256 received);
}
