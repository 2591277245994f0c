// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";

/// @title Token calls that fail loudly
/// @notice A token that returns nothing passes; one that reverts passes its error on; one that
/// returns false, or an address without code, does not pass.
library SafeTransfer {
    /// @notice The token refused without giving a reason, or there is no token at this address.
    error TokenCallFailed(address token);

    function safeTransfer(IERC20 token, address to, uint256 amount) internal {
        _call(token, abi.encodeCall(IERC20.transfer, (to, amount)));
    }

    function safeTransferFrom(IERC20 token, address from, address to, uint256 amount) internal {
        _call(token, abi.encodeCall(IERC20.transferFrom, (from, to, amount)));
    }

    function safeApprove(IERC20 token, address spender, uint256 amount) internal {
        _call(token, abi.encodeCall(IERC20.approve, (spender, amount)));
    }

    function _call(IERC20 token, bytes memory data) private {
        (bool success, bytes memory result) = address(token).call(data);
        if (!success) {
            if (result.length == 0) revert TokenCallFailed(address(token));
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
        bool refused = result.length == 0
            ? address(token).code.length == 0
            : result.length < 32 || !abi.decode(result, (bool));
        if (refused) revert TokenCallFailed(address(token));
    }
}
