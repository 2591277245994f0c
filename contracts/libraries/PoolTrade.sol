// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "../interfaces/IConstantProductPool.sol";

/// @title What every caller of a constant-product pool needs
library PoolTrade {
    /// @notice Take `amountOut` wei of the token that is not `tokenIn`; the input is in the pool already.
    function swapOut(IConstantProductPool pool, address tokenIn, uint256 amountOut, address to) internal {
        if (tokenIn == address(pool.token0())) pool.swap(0, amountOut, to, "");
        else pool.swap(amountOut, 0, to, "");
    }

    /// @notice Reserves in wei, that of `tokenIn` first.
    function reservesFrom(IConstantProductPool pool, address tokenIn)
        internal
        view
        returns (uint256 reserveIn, uint256 reserveOut)
    {
        (uint256 reserve0, uint256 reserve1,) = pool.getReserves();
        return tokenIn == address(pool.token0()) ? (reserve0, reserve1) : (reserve1, reserve0);
    }
}
