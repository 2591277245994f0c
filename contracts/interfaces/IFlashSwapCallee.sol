// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Receiver of a flash swap
interface IFlashSwapCallee {
    /// @notice Called by the pool after it has sent the output and before it checks the input.
    /// @param sender Whoever called the pool's swap.
    /// @param amount0Out Wei of token0 sent.
    /// @param amount1Out Wei of token1 sent.
    function onFlashSwap(address sender, uint256 amount0Out, uint256 amount1Out, bytes calldata data)
        external;
}
