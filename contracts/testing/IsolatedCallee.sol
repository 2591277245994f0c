// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IFlashLoanCallee, IIsolatedLiquidationCallee} from "../interfaces/IIsolatedCallbacks.sol";
import {IIsolatedMarket} from "../interfaces/IIsolatedMarket.sol";

/// @title IsolatedCallee
/// @notice Calls an isolated market and, called back by it, makes one call it was told to make beforehand.
contract IsolatedCallee is IIsolatedLiquidationCallee, IFlashLoanCallee {
    address public target;
    bytes public order;

    /// @notice Kind, amounts and own balance at the moment of the call back.
    event CalledBack(address token, uint256 repaid, uint256 assets, uint256 balance);

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
        emit CalledBack(address(token), repaidAssets, seizedAssets, token.balanceOf(address(this)));
        if (target != address(0)) _call(target, order);
    }

    function onFlashLoan(address token, uint256 assets, bytes calldata) external {
        emit CalledBack(token, 0, assets, IERC20(token).balanceOf(address(this)));
        if (target != address(0)) _call(target, order);
    }

    function _call(address to, bytes memory data) private {
        (bool success, bytes memory result) = to.call(data);
        if (!success) revert OrderFailed(result);
    }
}
