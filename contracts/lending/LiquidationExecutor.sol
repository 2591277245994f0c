// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IForcedTradeRouter} from "../interfaces/IForcedTradeRouter.sol";
import {ILiquidationExecutor} from "../interfaces/ILiquidationExecutor.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {LiquidationCall} from "../libraries/LiquidationCall.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title LiquidationExecutor
contract LiquidationExecutor is ILiquidationExecutor {
    using SafeTransfer for IERC20;

    IForcedTradeRouter public immutable router;

    constructor(IForcedTradeRouter router_) {
        router = router_;
    }

    function liquidate(
        IPooledMarket market,
        address account,
        address collateralAsset,
        address debtAsset,
        uint256 repayAssets,
        uint256 minProfit
    ) external returns (uint256 profit) {
        uint256 pulled = repayAssets;
        if (pulled == type(uint256).max) {
            pulled = LiquidationCall.repayable(market, account, collateralAsset, debtAsset, pulled);
        }
        IERC20(debtAsset).safeTransferFrom(msg.sender, address(this), pulled);
        (uint256 repaid, uint256 seized) =
            LiquidationCall.liquidate(market, account, collateralAsset, debtAsset, pulled);
        uint256 proceeds =
            LiquidationCall.sell(router, market, account, collateralAsset, debtAsset, seized);
        if (proceeds < repaid + minProfit) revert Unprofitable(proceeds, repaid + minProfit);
        profit = proceeds - repaid;
        IERC20(debtAsset).safeTransfer(msg.sender, pulled + profit);
        emit LiquidationExecuted(
            msg.sender, address(market), account, collateralAsset, debtAsset, repaid, seized, proceeds
        );
    }
}
