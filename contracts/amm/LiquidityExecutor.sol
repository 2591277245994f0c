// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "../interfaces/IConstantProductPool.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {ILiquidityExecutor} from "../interfaces/ILiquidityExecutor.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title LiquidityExecutor
contract LiquidityExecutor is ILiquidityExecutor {
    using SafeTransfer for IERC20;

    function remove(IConstantProductPool pool, uint256 liquidity)
        external
        returns (uint256 amount0, uint256 amount1)
    {
        IERC20(pool).safeTransferFrom(msg.sender, address(pool), liquidity);
        (amount0, amount1) = pool.burn(msg.sender);
        emit LiquidityRemoved(msg.sender, address(pool), liquidity, amount0, amount1);
    }
}
