// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title Sink
/// @notice The counterparty of cut trades: it keeps what it is sent, and pays from what it holds.
contract Sink {
    using SafeTransfer for IERC20;

    /// @notice The only account that may fill.
    address public immutable router;

    error NotRouter(address caller);

    /// @notice The sink has run out of what it was asked for.
    error InsufficientInventory(address token, uint256 available, uint256 needed);

    constructor(address router_) {
        router = router_;
    }

    /// @notice Pay `amountOut` wei of `tokenOut` to `to`; the router has sent the other side already.
    function fill(IERC20 tokenOut, uint256 amountOut, address to) external {
        if (msg.sender != router) revert NotRouter(msg.sender);
        uint256 available = tokenOut.balanceOf(address(this));
        if (available < amountOut) {
            revert InsufficientInventory(address(tokenOut), available, amountOut);
        }
        tokenOut.safeTransfer(to, amountOut);
    }
}
