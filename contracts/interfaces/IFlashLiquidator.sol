// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "./IConstantProductPool.sol";
import {IDutchAuction} from "./IDutchAuction.sol";
import {IForcedTradeRouter} from "./IForcedTradeRouter.sol";
import {IPooledMarket} from "./IPooledMarket.sol";

/// @title Liquidates with money borrowed for one transaction
/// @notice Borrows, repays the debt, sells everything seized as a forced trade of the market, pays back, and sends
/// what is left to the caller. Holds nothing between calls and needs no capital.
interface IFlashLiquidator {
    /// @param repayAssets type(uint256).max for what the market would allow now.
    /// @param minProfit In debt assets; the whole transaction reverts below it.
    struct Job {
        IPooledMarket market;
        address account;
        address collateralAsset;
        address debtAsset;
        uint256 repayAssets;
        uint256 minProfit;
    }

    /// @param lender The market, the pool or the auction that advanced the tokens.
    /// @param repaid, fee, proceeds Debt assets. @param seized Collateral assets.
    event FlashLiquidation(
        address indexed liquidator,
        address indexed lender,
        address indexed account,
        address collateralAsset,
        address debtAsset,
        uint256 repaid,
        uint256 seized,
        uint256 fee,
        uint256 proceeds
    );

    /// @notice Sales brought less than `needed`: what is owed, and the profit asked for.
    error Unprofitable(uint256 proceeds, uint256 needed);

    /// @notice Only a lender that was asked may call back, and only about its loan.
    error NotLender(address caller);

    /// @notice The pool does not hold this asset.
    error NotInPool(address asset);

    function router() external view returns (IForcedTradeRouter);

    /// @notice By a flash loan of the market itself.
    /// @return profit Debt assets, sent to the caller.
    function liquidateByLoan(Job calldata job) external returns (uint256 profit);

    /// @notice By a flash swap of a pool that holds the debt asset, paid back in kind with the pool's fee. It must not
    /// be the pool that the seized collateral is sold in, which is locked meanwhile.
    function liquidateBySwap(Job calldata job, IConstantProductPool pool) external returns (uint256 profit);

    /// @notice By a Dutch auction, which lets its buyer sell before it pays.
    /// @param maxLot, maxPriceRay As in IDutchAuction.take.
    function buyAtAuction(
        IDutchAuction auction,
        uint256 id,
        uint256 maxLot,
        uint256 maxPriceRay,
        uint256 minProfit
    ) external returns (uint256 profit);
}
