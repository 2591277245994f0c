// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IERC4626} from "../interfaces/IERC4626.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {ArbitrageExecutor} from "./ArbitrageExecutor.sol";

/// @title ShareArbitrageExecutor
/// @notice Cycles through vaults as well: a leg of kind 2 redeems the vault's shares, or deposits its asset. A
/// vault that cannot pay for all the shares of a leg reverts the cycle.
contract ShareArbitrageExecutor is ArbitrageExecutor {
    using SafeTransfer for IERC20;

    uint8 private constant VAULT = 2;

    function _trade(Leg calldata leg, uint256 amountIn, uint256 index)
        internal
        override
        returns (address tokenOut, uint256 amountOut)
    {
        if (leg.kind != VAULT) return super._trade(leg, amountIn, index);
        IERC4626 vault = IERC4626(leg.venue);
        address asset = vault.asset();
        if (leg.tokenIn == address(vault)) return (asset, vault.redeem(amountIn, address(this), address(this)));
        if (leg.tokenIn != asset) revert BrokenPath(index);
        IERC20(asset).safeApprove(leg.venue, amountIn);
        return (address(vault), vault.deposit(amountIn, address(this)));
    }
}
