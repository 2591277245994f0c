// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDiscountLiquidation} from "../interfaces/IDiscountLiquidation.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IForcedTradeRouter} from "../interfaces/IForcedTradeRouter.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title Liquidation at a discount, whoever grants it
/// @notice By the market itself at its fixed bonus, or by its module, which must then be an IDiscountLiquidation.
library LiquidationCall {
    using SafeTransfer for IERC20;

    /// @notice What liquidating would take now of `repayAssets`.
    function repayable(
        IPooledMarket market,
        address account,
        address collateralAsset,
        address debtAsset,
        uint256 repayAssets
    ) internal view returns (uint256 repaid) {
        address module = market.liquidationModule();
        if (module == address(0)) {
            (repaid,,,,,) = market.quoteLiquidation(account, collateralAsset, debtAsset, repayAssets);
        } else {
            (repaid,,) =
                IDiscountLiquidation(module).quote(account, collateralAsset, debtAsset, repayAssets);
        }
    }

    /// @notice Liquidates with tokens this contract holds, and gets the collateral. Leaves no allowance.
    function liquidate(
        IPooledMarket market,
        address account,
        address collateralAsset,
        address debtAsset,
        uint256 repayAssets
    ) internal returns (uint256 repaid, uint256 seized) {
        address module = market.liquidationModule();
        address spender = module == address(0) ? address(market) : module;
        IERC20(debtAsset).safeApprove(spender, repayAssets);
        if (module == address(0)) {
            (repaid, seized) = market.liquidate(
                account, collateralAsset, debtAsset, repayAssets, false, address(this)
            );
        } else {
            (repaid, seized) = IDiscountLiquidation(module).liquidate(
                account, collateralAsset, debtAsset, repayAssets, 0, false, address(this)
            );
        }
        if (repaid < repayAssets) IERC20(debtAsset).safeApprove(spender, 0);
    }

    /// @notice Sells all that was seized as a forced trade of the market.
    function sell(
        IForcedTradeRouter router,
        IPooledMarket market,
        address account,
        address collateralAsset,
        address debtAsset,
        uint256 seized
    ) internal returns (uint256 proceeds) {
        if (collateralAsset == debtAsset || seized == 0) return seized;
        IERC20(collateralAsset).safeApprove(address(router), seized);
        return router.sell(
            address(market), account, collateralAsset, debtAsset, seized, 0, address(this)
        );
    }
}
