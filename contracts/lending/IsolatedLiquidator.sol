// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IForcedTradeRouter} from "../interfaces/IForcedTradeRouter.sol";
import {IIsolatedLiquidationCallee} from "../interfaces/IIsolatedLiquidationCallee.sol";
import {IIsolatedLiquidator} from "../interfaces/IIsolatedLiquidator.sol";
import {IIsolatedMarket} from "../interfaces/IIsolatedMarket.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title IsolatedLiquidator
contract IsolatedLiquidator is IIsolatedLiquidator, IIsolatedLiquidationCallee {
    using SafeTransfer for IERC20;

    IForcedTradeRouter public immutable router;

    address private transient _market;
    uint256 private transient _proceeds;

    constructor(IForcedTradeRouter router_) {
        router = router_;
    }

    function liquidate(
        IIsolatedMarket market,
        address account,
        uint256 seizedAssets,
        uint256 repaidShares,
        uint256 minProfit
    ) external returns (uint256 profit) {
        _market = address(market);
        (uint256 repaid, uint256 seized) =
            market.liquidate(account, seizedAssets, repaidShares, abi.encode(account, minProfit));
        uint256 proceeds = _proceeds;
        _market = address(0);
        _proceeds = 0;
        profit = proceeds - repaid;
        market.debtToken().safeTransfer(msg.sender, profit);
        emit LiquidationExecuted(msg.sender, address(market), account, repaid, seized, proceeds);
    }

    function onIsolatedLiquidation(uint256 repaidAssets, uint256 seizedAssets, bytes calldata data) external {
        if (msg.sender != _market) revert NotMarket(msg.sender);
        (address account, uint256 minProfit) = abi.decode(data, (address, uint256));
        IERC20 collateralToken = IIsolatedMarket(msg.sender).collateralToken();
        IERC20 debtToken = IIsolatedMarket(msg.sender).debtToken();
        collateralToken.safeApprove(address(router), seizedAssets);
        uint256 proceeds = router.sell(
            msg.sender, account, address(collateralToken), address(debtToken), seizedAssets, 0, address(this)
        );
        if (proceeds < repaidAssets + minProfit) revert Unprofitable(proceeds, repaidAssets + minProfit);
        _proceeds = proceeds;
        debtToken.safeApprove(msg.sender, repaidAssets);
    }
}
