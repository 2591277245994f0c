// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "../libraries/Math.sol";
import {RankQueue} from "./RankQueue.sol";

/// @title BitmexQueue
/// @notice Rank (Wad): profit / cost * effective leverage, which is mark / |mark - bankruptcy price|, the same as
/// notional / account value. BitMEX divides by it where a position loses; such positions are not in line here.
contract BitmexQueue is RankQueue {
    function rank(Candidate calldata c) external view virtual override returns (uint256) {
        return 1
            + Math.mulDivDown(_ratioWad(c.profit, c.cost), _ratioWad(c.value, c.accountValue), Math.WAD);
    }
}
