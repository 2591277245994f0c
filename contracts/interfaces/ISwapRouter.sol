// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "./IConstantProductPool.sol";

/// @title Swaps and liquidity for accounts without code
interface ISwapRouter {
    /// @notice The output is below the caller's limit.
    error SlippageExceeded(uint256 amountOut, uint256 minOut);

    /// @notice Sell exactly `amountIn` wei of `tokenIn`, taken from the caller, to the pool.
    /// @return amountOut Wei of the other token, sent to `to`.
    function swapExactIn(
        IConstantProductPool pool,
        address tokenIn,
        uint256 amountIn,
        uint256 minOut,
        address to
    ) external returns (uint256 amountOut);

    /// @notice Add both amounts, taken from the caller, as they are: what is off the pool's ratio is a gift
    /// to the other holders.
    /// @return liquidity LP wei, minted to `to`.
    function addLiquidity(IConstantProductPool pool, uint256 amount0, uint256 amount1, address to)
        external
        returns (uint256 liquidity);

    /// @notice Burn `liquidity` LP wei, taken from the caller, and send both tokens to `to`.
    function removeLiquidity(IConstantProductPool pool, uint256 liquidity, address to)
        external
        returns (uint256 amount0, uint256 amount1);
}
