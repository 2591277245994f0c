// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IForcedTradeRouter} from "../interfaces/IForcedTradeRouter.sol";
import {IIsolatedDeleverager} from "../interfaces/IIsolatedDeleverager.sol";
import {IIsolatedMarket} from "../interfaces/IIsolatedMarket.sol";
import {IsolatedMath} from "../libraries/IsolatedMath.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title IsolatedDeleverager
contract IsolatedDeleverager is IIsolatedDeleverager {
    using IsolatedMath for uint256;
    using SafeTransfer for IERC20;

    IForcedTradeRouter public immutable router;

    constructor(IForcedTradeRouter router_) {
        router = router_;
    }

    function deleverage(IIsolatedMarket market, uint256 withdrawAssets, uint256 minOut)
        external
        returns (uint256 repaid)
    {
        IERC20 collateralToken = market.collateralToken();
        IERC20 debtToken = market.debtToken();
        market.withdrawCollateral(withdrawAssets, msg.sender, address(this));
        collateralToken.safeApprove(address(router), withdrawAssets);
        uint256 proceeds = router.sell(
            address(market),
            msg.sender,
            address(collateralToken),
            address(debtToken),
            withdrawAssets,
            minOut,
            address(this)
        );
        repaid = _repay(market, debtToken, proceeds);
        if (repaid < proceeds) debtToken.safeTransfer(msg.sender, proceeds - repaid);
        emit Deleveraged(address(market), msg.sender, withdrawAssets, repaid);
    }

    /// @dev By shares where the proceeds cover the whole debt, so that no share of it is left.
    function _repay(IIsolatedMarket market, IERC20 debtToken, uint256 proceeds)
        private
        returns (uint256 repaid)
    {
        IIsolatedMarket.MarketState memory state = market.marketState();
        (, uint256 shares,) = market.position(msg.sender);
        uint256 owed = shares.toAssetsUp(state.totalBorrowAssets, state.totalBorrowShares);
        debtToken.safeApprove(address(market), proceeds);
        if (proceeds >= owed) {
            (repaid,) = market.repay(0, shares, msg.sender);
            debtToken.safeApprove(address(market), 0);
        } else {
            (repaid,) = market.repay(proceeds, 0, msg.sender);
        }
    }
}
