// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDeleverageExecutor} from "../interfaces/IDeleverageExecutor.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IForcedTradeRouter} from "../interfaces/IForcedTradeRouter.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title DeleverageExecutor
contract DeleverageExecutor is IDeleverageExecutor {
    using SafeTransfer for IERC20;

    IForcedTradeRouter public immutable router;

    constructor(IForcedTradeRouter router_) {
        router = router_;
    }

    function deleverage(
        IPooledMarket market,
        address collateralAsset,
        address debtAsset,
        uint256 withdrawAssets,
        uint256 minOut
    ) external returns (uint256 repaid) {
        uint256 sold = market.withdraw(collateralAsset, withdrawAssets, msg.sender, address(this));
        uint256 proceeds = sold;
        if (collateralAsset != debtAsset) {
            IERC20(collateralAsset).safeApprove(address(router), sold);
            proceeds = router.sell(
                address(market), msg.sender, collateralAsset, debtAsset, sold, minOut, address(this)
            );
        }
        IERC20(debtAsset).safeApprove(address(market), proceeds);
        repaid = market.repay(debtAsset, proceeds, msg.sender);
        if (repaid < proceeds) {
            IERC20(debtAsset).safeApprove(address(market), 0);
            IERC20(debtAsset).safeTransfer(msg.sender, proceeds - repaid);
        }
        emit Deleveraged(address(market), msg.sender, collateralAsset, debtAsset, sold, repaid);
    }
}
