// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDefaultWaterfall} from "../interfaces/IDefaultWaterfall.sol";

/// @title PerpWaterfallProbe
/// @notice A waterfall without rules of its own: it notes what it is told, and does what anyone asks.
contract PerpWaterfallProbe is IDefaultWaterfall {
    address public immutable exchange;

    event Told(bytes32 indexed account, int256 equity, uint256 deficit);

    constructor(address exchange_) {
        exchange = exchange_;
    }

    function onDefault(bytes32 account, int256 equity) external {
        emit Told(account, equity, 0);
    }

    function onDeficit(bytes32 account, uint256 amount) external {
        emit Told(account, 0, amount);
    }

    /// @notice Call the exchange with this data.
    function run(bytes calldata data) external {
        (bool success, bytes memory result) = exchange.call(data);
        if (success) return;
        assembly ("memory-safe") {
            revert(add(result, 32), mload(result))
        }
    }
}
