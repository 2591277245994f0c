// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IFlashBorrower} from "../interfaces/IFlashBorrower.sol";
import {IIsolatedLiquidationCallee} from "../interfaces/IIsolatedLiquidationCallee.sol";
import {IIsolatedMarket} from "../interfaces/IIsolatedMarket.sol";

/// @title IsolatedCallee
/// @notice Calls an isolated market and, called back by it, makes one call it was told to make beforehand.
contract IsolatedCallee is IIsolatedLiquidationCallee, IFlashBorrower {
    address public target;
    bytes public order;

    /// @notice The token received, what is to be paid for it (of a flash loan the fee), own balance, and who asked
    /// for the flash loan.
    event CalledBack(address token, uint256 due, uint256 assets, uint256 balance, address initiator);

    error OrderFailed(bytes reason);

    /// @notice What to do in the next call back; nothing if `target_` is zero.
    function arm(address target_, bytes calldata order_) external {
        (target, order) = (target_, order_);
    }

    /// @notice Any call from this contract.
    function act(address to, bytes calldata data) external {
        _call(to, data);
    }

    function onIsolatedLiquidation(uint256 repaidAssets, uint256 seizedAssets, bytes calldata) external {
        IERC20 token = IIsolatedMarket(msg.sender).collateralToken();
        emit CalledBack(
            address(token), repaidAssets, seizedAssets, token.balanceOf(address(this)), address(0)
        );
        if (target != address(0)) _call(target, order);
    }

    function onFlashLoan(address initiator, address asset, uint256 assets, uint256 fee, bytes calldata)
        external
    {
        emit CalledBack(asset, fee, assets, IERC20(asset).balanceOf(address(this)), initiator);
        if (target != address(0)) _call(target, order);
    }

    function _call(address to, bytes memory data) private {
        (bool success, bytes memory result) = to.call(data);
        if (!success) revert OrderFailed(result);
    }
}
