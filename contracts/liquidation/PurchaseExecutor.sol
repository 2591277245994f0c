// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAbsorption} from "../interfaces/IAbsorption.sol";
import {IDutchAuction} from "../interfaces/IDutchAuction.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IForcedTradeRouter} from "../interfaces/IForcedTradeRouter.sol";
import {IPurchaseExecutor} from "../interfaces/IPurchaseExecutor.sol";
import {LiquidationCall} from "../libraries/LiquidationCall.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title PurchaseExecutor
contract PurchaseExecutor is IPurchaseExecutor {
    using SafeTransfer for IERC20;

    IForcedTradeRouter public immutable router;

    constructor(IForcedTradeRouter router_) {
        router = router_;
    }

    function buyAtAuction(
        IDutchAuction auction,
        uint256 id,
        uint256 maxLot,
        uint256 maxPriceRay,
        uint256 maxPaid,
        uint256 minProfit
    ) external returns (uint256 profit) {
        // Before the purchase: what sells the auction out deletes it.
        IDutchAuction.Sale memory sale = auction.sale(id);
        _pull(sale.debtAsset, address(auction), maxPaid);
        (uint256 bought, uint256 paid) = auction.take(id, maxLot, maxPriceRay, address(this), false, "");
        uint256 proceeds = LiquidationCall.sell(
            router, auction.market(), sale.account, sale.collateralAsset, sale.debtAsset, bought
        );
        if (paid != maxPaid) IERC20(sale.debtAsset).safeApprove(address(auction), 0);
        profit = _pay(sale.debtAsset, maxPaid, paid, proceeds, minProfit);
        emit PurchaseExecuted(
            msg.sender, address(auction), id, sale.collateralAsset, sale.debtAsset, paid, bought, proceeds
        );
    }

    function buyAbsorbed(
        IAbsorption module,
        address asset,
        uint256 baseAssets,
        uint256 minAssets,
        uint256 minProfit
    ) external returns (uint256 profit) {
        address base = module.base();
        _pull(base, address(module), baseAssets);
        uint256 bought = module.buyCollateral(asset, minAssets, baseAssets, address(this), false);
        uint256 paid = baseAssets - IERC20(base).balanceOf(address(this));
        uint256 proceeds =
            LiquidationCall.sell(router, module.market(), address(module), asset, base, bought);
        if (paid != baseAssets) IERC20(base).safeApprove(address(module), 0);
        profit = _pay(base, baseAssets, paid, proceeds, minProfit);
        emit PurchaseExecuted(msg.sender, address(module), 0, asset, base, paid, bought, proceeds);
    }

    function _pull(address asset, address module, uint256 amount) private {
        IERC20(asset).safeTransferFrom(msg.sender, address(this), amount);
        IERC20(asset).safeApprove(module, amount);
    }

    function _pay(address asset, uint256 pulled, uint256 paid, uint256 proceeds, uint256 minProfit)
        private
        returns (uint256 profit)
    {
        if (proceeds < paid + minProfit) revert Unprofitable(proceeds, paid + minProfit);
        profit = proceeds - paid;
        IERC20(asset).safeTransfer(msg.sender, pulled + profit);
    }
}
