// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAuctionCallee} from "../interfaces/IAuctionCallee.sol";
import {IConstantProductPool} from "../interfaces/IConstantProductPool.sol";
import {IDutchAuction} from "../interfaces/IDutchAuction.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IFlashBorrower} from "../interfaces/IFlashBorrower.sol";
import {IFlashLiquidator} from "../interfaces/IFlashLiquidator.sol";
import {IFlashSwapCallee} from "../interfaces/IFlashSwapCallee.sol";
import {IForcedTradeRouter} from "../interfaces/IForcedTradeRouter.sol";
import {LiquidationCall} from "../libraries/LiquidationCall.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title FlashLiquidator
contract FlashLiquidator is IFlashLiquidator, IFlashBorrower, IFlashSwapCallee, IAuctionCallee {
    using Math for uint256;
    using SafeTransfer for IERC20;

    uint256 internal constant PIPS = 1e6;

    IForcedTradeRouter public immutable router;

    /// @dev Who may call back now.
    address internal transient _lender;

    constructor(IForcedTradeRouter router_) {
        router = router_;
    }

    function liquidateByLoan(Job calldata job) external returns (uint256 profit) {
        uint256 amount = _amount(job);
        _lender = address(job.market);
        job.market.flashLoan(this, job.debtAsset, amount, abi.encode(job, msg.sender));
        _lender = address(0);
        return _payProfit(job.debtAsset, job.minProfit);
    }

    function liquidateBySwap(Job calldata job, IConstantProductPool pool) external returns (uint256 profit) {
        uint256 amount = _amount(job);
        bool isFirst = address(pool.token0()) == job.debtAsset;
        if (!isFirst && address(pool.token1()) != job.debtAsset) revert NotInPool(job.debtAsset);
        _lender = address(pool);
        pool.swap(
            isFirst ? amount : 0, isFirst ? 0 : amount, address(this), abi.encode(job, msg.sender)
        );
        _lender = address(0);
        return _payProfit(job.debtAsset, job.minProfit);
    }

    function buyAtAuction(
        IDutchAuction auction,
        uint256 id,
        uint256 maxLot,
        uint256 maxPriceRay,
        uint256 minProfit
    ) external returns (uint256 profit) {
        IDutchAuction.Sale memory sale = auction.sale(id);
        Job memory job;
        job.market = auction.market();
        (job.account, job.collateralAsset, job.debtAsset) =
            (sale.account, sale.collateralAsset, sale.debtAsset);
        job.minProfit = minProfit;
        _lender = address(auction);
        auction.take(id, maxLot, maxPriceRay, address(this), false, abi.encode(job, msg.sender));
        _lender = address(0);
        return _payProfit(job.debtAsset, minProfit);
    }

    function onFlashLoan(address initiator, address, uint256 amount, uint256 fee, bytes calldata data)
        external
    {
        (Job memory job, address liquidator) = _called(initiator, data);
        _liquidate(job, liquidator, amount, fee);
        IERC20(job.debtAsset).safeApprove(msg.sender, amount + fee);
    }

    function onFlashSwap(address sender, uint256 amount0Out, uint256 amount1Out, bytes calldata data)
        external
    {
        (Job memory job, address liquidator) = _called(sender, data);
        uint256 amount = amount0Out + amount1Out;
        uint256 owed = amount.mulDivUp(PIPS, PIPS - IConstantProductPool(msg.sender).feePips());
        _liquidate(job, liquidator, amount, owed - amount);
        IERC20(job.debtAsset).safeTransfer(msg.sender, owed);
    }

    function onAuctionTake(address buyer, uint256 bought, uint256 owed, bytes calldata data) external {
        (Job memory job, address liquidator) = _called(buyer, data);
        uint256 proceeds = LiquidationCall.sell(
            router, job.market, job.account, job.collateralAsset, job.debtAsset, bought
        );
        _report(job, liquidator, owed, bought, 0, proceeds);
        IERC20(job.debtAsset).safeApprove(msg.sender, owed);
    }

    function _amount(Job calldata job) private view returns (uint256) {
        return LiquidationCall.repayable(
            job.market, job.account, job.collateralAsset, job.debtAsset, job.repayAssets
        );
    }

    function _called(address initiator, bytes calldata data)
        private
        view
        returns (Job memory job, address liquidator)
    {
        if (msg.sender != _lender || initiator != address(this)) revert NotLender(msg.sender);
        return abi.decode(data, (Job, address));
    }

    function _liquidate(Job memory job, address liquidator, uint256 amount, uint256 fee) private {
        (uint256 repaid, uint256 seized) = LiquidationCall.liquidate(
            job.market, job.account, job.collateralAsset, job.debtAsset, amount
        );
        uint256 proceeds = LiquidationCall.sell(
            router, job.market, job.account, job.collateralAsset, job.debtAsset, seized
        );
        _report(job, liquidator, repaid, seized, fee, proceeds);
    }

    function _report(
        Job memory job,
        address liquidator,
        uint256 repaid,
        uint256 seized,
        uint256 fee,
        uint256 proceeds
    ) private {
        uint256 needed = repaid + fee + job.minProfit;
        if (proceeds < needed) revert Unprofitable(proceeds, needed);
        emit FlashLiquidation(
            liquidator,
            msg.sender,
            job.account,
            job.collateralAsset,
            job.debtAsset,
            repaid,
            seized,
            fee,
            proceeds
        );
    }

    /// @dev Everything here, since nothing stays.
    function _payProfit(address debtAsset, uint256 minProfit) private returns (uint256 profit) {
        profit = IERC20(debtAsset).balanceOf(address(this));
        if (profit < minProfit) revert Unprofitable(profit, minProfit);
        if (profit != 0) IERC20(debtAsset).safeTransfer(msg.sender, profit);
    }
}
