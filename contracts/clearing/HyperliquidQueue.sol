// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "../libraries/Math.sol";
import {RankQueue} from "./RankQueue.sol";

/// @title HyperliquidQueue
/// @notice Rank (Wad): mark price / entry price (of shorts the inverse) * notional / account value. The product for
/// longs is in the documentation of Hyperliquid, "Auto-deleveraging"; the inverse for shorts follows from it.
contract HyperliquidQueue is RankQueue {
    function rank(Candidate calldata c) external view virtual override returns (uint256) {
        uint256 gain = c.long ? _ratioWad(c.value, c.cost) : _ratioWad(c.cost, c.value);
        return 1 + Math.mulDivDown(gain, _ratioWad(c.value, c.accountValue), Math.WAD);
    }
}
