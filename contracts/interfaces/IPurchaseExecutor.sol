// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAbsorption} from "./IAbsorption.sol";
import {IDutchAuction} from "./IDutchAuction.sol";

/// @title Buys collateral from a liquidation module and sells it, in one transaction
/// @notice Holds nothing between calls: the caller puts up the debt assets and gets everything.
interface IPurchaseExecutor {
    /// @param id Of the auction; 0 for absorbed collateral.
    /// @param paid Debt assets the module took. @param bought Collateral assets, all sold.
    /// @param proceeds Debt assets the sale brought.
    event PurchaseExecuted(
        address indexed buyer,
        address indexed module,
        uint256 indexed id,
        address collateralAsset,
        address debtAsset,
        uint256 paid,
        uint256 bought,
        uint256 proceeds
    );

    /// @notice The sale brought less than `needed`, the amount paid plus the profit asked for.
    error Unprofitable(uint256 proceeds, uint256 needed);

    /// @notice Buys at most `maxLot` of an auction and sells it as a forced trade of its market.
    /// @param maxPriceRay Refuse a higher price.
    /// @param maxPaid Debt assets taken from the caller; what is not needed goes back.
    /// @param minProfit In debt assets; the whole transaction reverts below it.
    /// @return profit Proceeds less the amount paid.
    function buyAtAuction(
        IDutchAuction auction,
        uint256 id,
        uint256 maxLot,
        uint256 maxPriceRay,
        uint256 maxPaid,
        uint256 minProfit
    ) external returns (uint256 profit);

    /// @notice Buys absorbed collateral for at most `baseAssets`, taken from the caller, and sells it as a forced trade of its market.
    /// @param minAssets Least collateral to get.
    /// @param minProfit In base assets; the whole transaction reverts below it.
    /// @return profit Proceeds less the amount paid.
    function buyAbsorbed(
        IAbsorption module,
        address asset,
        uint256 baseAssets,
        uint256 minAssets,
        uint256 minProfit
    ) external returns (uint256 profit);
}
