// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "../interfaces/IConstantProductPool.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IFlashSwapCallee} from "../interfaces/IFlashSwapCallee.sol";

/// @title FlashBorrower
/// @notice Takes a flash swap and pays back from its own balance what it is told to, or tries to enter the pool
/// again.
contract FlashBorrower is IFlashSwapCallee {
    event Called(address sender, uint256 amount0Out, uint256 amount1Out, uint256 balance0, uint256 balance1);

    /// @notice Borrow both amounts; pay back `repay0` and `repay1`.
    function borrow(
        IConstantProductPool pool,
        uint256 amount0Out,
        uint256 amount1Out,
        uint256 repay0,
        uint256 repay1
    ) external {
        pool.swap(amount0Out, amount1Out, address(this), abi.encode(repay0, repay1, false));
    }

    /// @notice Borrow `amount0Out` and call the pool's sync while the loan is out.
    function reenter(IConstantProductPool pool, uint256 amount0Out) external {
        pool.swap(amount0Out, 0, address(this), abi.encode(0, 0, true));
    }

    function onFlashSwap(address sender, uint256 amount0Out, uint256 amount1Out, bytes calldata data)
        external
    {
        IConstantProductPool pool = IConstantProductPool(msg.sender);
        (uint256 repay0, uint256 repay1, bool reentering) = abi.decode(data, (uint256, uint256, bool));
        if (reentering) pool.sync();
        (IERC20 token0, IERC20 token1) = (pool.token0(), pool.token1());
        emit Called(
            sender, amount0Out, amount1Out, token0.balanceOf(address(this)), token1.balanceOf(address(this))
        );
        if (repay0 != 0) token0.transfer(msg.sender, repay0);
        if (repay1 != 0) token1.transfer(msg.sender, repay1);
    }
}
