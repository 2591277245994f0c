// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "./IConstantProductPool.sol";

/// @title Takes liquidity out of a pool in one transaction
interface ILiquidityExecutor {
    event LiquidityRemoved(
        address indexed provider,
        address indexed pool,
        uint256 liquidity,
        uint256 amount0,
        uint256 amount1
    );

    /// @notice Burns `liquidity` LP wei of the caller; the pool pays both tokens to the caller.
    function remove(IConstantProductPool pool, uint256 liquidity)
        external
        returns (uint256 amount0, uint256 amount1);
}
