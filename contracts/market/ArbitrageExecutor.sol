// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IArbitrageExecutor} from "../interfaces/IArbitrageExecutor.sol";
import {IConstantProductPool} from "../interfaces/IConstantProductPool.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IExternalMarket} from "../interfaces/IExternalMarket.sol";
import {PoolTrade} from "../libraries/PoolTrade.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title ArbitrageExecutor
/// @notice Holds nothing between calls.
contract ArbitrageExecutor is IArbitrageExecutor {
    using SafeTransfer for IERC20;

    uint8 private constant POOL = 0;
    uint8 private constant EXTERNAL = 1;

    function arbitrage(Leg[] calldata legs, uint256 amountIn, uint256 minProfit)
        external
        returns (uint256 amountOut)
    {
        if (legs.length == 0) revert BrokenPath(0);
        address start = legs[0].tokenIn;
        address held = start;
        IERC20(start).safeTransferFrom(msg.sender, address(this), amountIn);
        amountOut = amountIn;
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].tokenIn != held) revert BrokenPath(i);
            (held, amountOut) = _trade(legs[i], amountOut, i);
        }
        if (held != start) revert BrokenPath(legs.length);
        if (amountOut < amountIn + minProfit) revert Unprofitable(amountOut, amountIn + minProfit);
        IERC20(start).safeTransfer(msg.sender, amountOut);
        emit Arbitrage(msg.sender, start, amountIn, amountOut);
    }

    function _trade(Leg calldata leg, uint256 amountIn, uint256 index)
        internal
        virtual
        returns (address tokenOut, uint256 amountOut)
    {
        if (leg.kind == POOL) return _tradePool(IConstantProductPool(leg.venue), leg.tokenIn, amountIn);
        if (leg.kind != EXTERNAL) revert UnknownKind(leg.kind);

        IExternalMarket market = IExternalMarket(leg.venue);
        address base = address(market.base());
        address usd = address(market.usd());
        if (leg.tokenIn != base && leg.tokenIn != usd) revert BrokenPath(index);
        IERC20(leg.tokenIn).safeApprove(leg.venue, amountIn);
        if (leg.tokenIn == base) return (usd, market.sell(amountIn, 0, address(this)));
        return (base, market.buy(amountIn, 0, address(this)));
    }

    function _tradePool(IConstantProductPool pool, address tokenIn, uint256 amountIn)
        private
        returns (address tokenOut, uint256 amountOut)
    {
        tokenOut = address(pool.token0());
        if (tokenOut == tokenIn) tokenOut = address(pool.token1());
        amountOut = pool.getAmountOut(tokenIn, amountIn);
        IERC20(tokenIn).safeTransfer(address(pool), amountIn);
        PoolTrade.swapOut(pool, tokenIn, amountOut, address(this));
    }
}
