// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "../interfaces/IConstantProductPool.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {ISwapRouter} from "../interfaces/ISwapRouter.sol";
import {PoolTrade} from "../libraries/PoolTrade.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title SwapRouter
contract SwapRouter is ISwapRouter {
    using SafeTransfer for IERC20;

    function swapExactIn(
        IConstantProductPool pool,
        address tokenIn,
        uint256 amountIn,
        uint256 minOut,
        address to
    ) external returns (uint256 amountOut) {
        amountOut = pool.getAmountOut(tokenIn, amountIn);
        if (amountOut < minOut) revert SlippageExceeded(amountOut, minOut);
        IERC20(tokenIn).safeTransferFrom(msg.sender, address(pool), amountIn);
        PoolTrade.swapOut(pool, tokenIn, amountOut, to);
    }

    function addLiquidity(IConstantProductPool pool, uint256 amount0, uint256 amount1, address to)
        external
        returns (uint256 liquidity)
    {
        pool.token0().safeTransferFrom(msg.sender, address(pool), amount0);
        pool.token1().safeTransferFrom(msg.sender, address(pool), amount1);
        return pool.mint(to);
    }

    function removeLiquidity(IConstantProductPool pool, uint256 liquidity, address to)
        external
        returns (uint256 amount0, uint256 amount1)
    {
        IERC20(pool).safeTransferFrom(msg.sender, address(pool), liquidity);
        return pool.burn(to);
    }
}
