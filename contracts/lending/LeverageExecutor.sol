// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IExternalMarket} from "../interfaces/IExternalMarket.sol";
import {ILeverageExecutor} from "../interfaces/ILeverageExecutor.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title LeverageExecutor
contract LeverageExecutor is ILeverageExecutor {
    using SafeTransfer for IERC20;

    uint256 private constant BPS = 1e4;

    function leverage(
        IPooledMarket market,
        IExternalMarket collateral,
        IExternalMarket debt,
        uint256 usdIn,
        uint256 shareBps,
        uint256 minReceived
    ) external returns (uint256 received) {
        uint256 supplied = _supply(market, collateral, usdIn);
        uint256 borrowed = _borrow(market, collateral.base(), debt.base(), supplied, shareBps);
        debt.base().safeApprove(address(debt), borrowed);
        received = debt.sell(borrowed, 0, msg.sender);
        if (received < minReceived) revert Unprofitable(received, minReceived);
        emit Leveraged(msg.sender, address(market), usdIn, supplied, borrowed, received);
    }

    function _supply(IPooledMarket market, IExternalMarket collateral, uint256 usdIn)
        private
        returns (uint256 bought)
    {
        IERC20 usd = collateral.usd();
        usd.safeTransferFrom(msg.sender, address(this), usdIn);
        usd.safeApprove(address(collateral), usdIn);
        bought = collateral.buy(usdIn, 0, address(this));
        collateral.base().safeApprove(address(market), bought);
        market.supply(address(collateral.base()), bought, msg.sender);
    }

    function _borrow(IPooledMarket market, IERC20 collateral, IERC20 debt, uint256 supplied, uint256 shareBps)
        private
        returns (uint256 assets)
    {
        uint256 usdWad =
            Math.mulDivDown(supplied, market.priceWad(address(collateral)), 10 ** collateral.decimals());
        uint256 ltvBps = market.assetConfig(address(collateral)).ltvBps;
        uint256 lentWad = usdWad * ltvBps / BPS * shareBps / BPS;
        assets = Math.mulDivDown(lentWad, 10 ** debt.decimals(), market.priceWad(address(debt)));
        (IPooledMarket.AssetState memory state,,) = market.assetState(address(debt));
        if (assets == 0 || state.cash == 0) revert NothingToBorrow(assets, state.cash);
        if (assets > state.cash) assets = state.cash;
        market.borrow(address(debt), assets, msg.sender, address(this));
    }
}
