// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDeleveragingPolicy} from "../interfaces/IDeleveragingPolicy.sol";
import {Math} from "../libraries/Math.sol";

/// @title RankQueue
/// @notice The first in line pays with its whole profit and is closed whole before the second is asked. See
/// IDeleveragingPolicy; what the line is ordered by is left to those who inherit.
abstract contract RankQueue is IDeleveragingPolicy {
    using Math for uint256;

    function atBankruptcyPrice() external pure returns (bool) {
        return false;
    }

    function rank(Candidate calldata candidate) external view virtual returns (uint256);

    function terms(uint256 wealth, uint256) external pure virtual returns (uint256 cap, uint256 weight) {
        return (wealth, 0);
    }

    function payment(uint256 cap, uint256, uint256 loss, uint256)
        external
        view
        virtual
        returns (uint256 amount, bool level)
    {
        return (cap.min(loss), false);
    }

    function closing(uint256 size, uint256, uint256) external pure virtual returns (uint256) {
        return size;
    }

    /// @dev a / b, Wad; the largest word of 128 bits where there is no b.
    function _ratioWad(uint256 a, uint256 b) internal pure returns (uint256) {
        if (b == 0) return type(uint128).max;
        return a.mulDivDown(Math.WAD, b).min(type(uint128).max);
    }
}
