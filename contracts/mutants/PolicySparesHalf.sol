// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {HyperliquidQueue} from "../clearing/HyperliquidQueue.sol";
import {Math} from "../libraries/Math.sol";

/// @title PolicySparesHalf
/// @notice Planted bug, for the kit of deleveraging policies: everybody keeps half of what it could pay.
contract PolicySparesHalf is HyperliquidQueue {
    function payment(uint256 cap, uint256, uint256 loss, uint256)
        external
        pure
        override
        returns (uint256 amount, bool level)
    {
        return (Math.min(cap, loss) / 2, false);
    }
}
