// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IForcedTradeRouter} from "../interfaces/IForcedTradeRouter.sol";
import {ILiquidationExecutor} from "../interfaces/ILiquidationExecutor.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
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
            (pulled,,,,,) = market.quoteLiquidation(account, collateralAsset, debtAsset, pulled);
        }
        IERC20(debtAsset).safeTransferFrom(msg.sender, address(this), pulled);
        IERC20(debtAsset).safeApprove(address(market), pulled);
        (uint256 repaid, uint256 seized) =
            market.liquidate(account, collateralAsset, debtAsset, pulled, false, address(this));
        if (repaid < pulled) IERC20(debtAsset).safeApprove(address(market), 0);

        uint256 proceeds = _sell(address(market), account, collateralAsset, debtAsset, seized);
        if (proceeds < repaid + minProfit) revert Unprofitable(proceeds, repaid + minProfit);
        profit = proceeds - repaid;
        IERC20(debtAsset).safeTransfer(msg.sender, pulled + profit);
        emit LiquidationExecuted(
            msg.sender, address(market), account, collateralAsset, debtAsset, repaid, seized, proceeds
        );
    }

    function _sell(
        address market,
        address account,
        address collateralAsset,
        address debtAsset,
        uint256 seized
    ) private returns (uint256 proceeds) {
        if (collateralAsset == debtAsset) return seized;
        IERC20(collateralAsset).safeApprove(address(router), seized);
        return router.sell(market, account, collateralAsset, debtAsset, seized, 0, address(this));
    }
}
