// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

/// @title LeverageFirst
/// @notice The winner with the most leverage pays first, with half of what it can lose. The functions are those of
/// IDeleveragingPolicy, which says what each is asked and when.
contract LeverageFirst {
    struct Candidate {
        bool long;
        uint256 value;
        uint256 cost;
        uint256 profit;
        uint256 accountValue;
        uint256 wealth;
        uint256 notional;
    }

    bool public constant atBankruptcyPrice = false;

    function rank(Candidate calldata c) external pure returns (uint256) {
        return 1 + 1e18 * c.notional / c.accountValue;
    }

    function terms(uint256 wealth, uint256) external pure returns (uint256 cap, uint256 weight) {
        return (wealth / 2, 0);
    }

    function payment(uint256 cap, uint256, uint256 loss, uint256)
        external
        pure
        returns (uint256 amount, bool level)
    {
        return (cap < loss ? cap : loss, false);
    }

    function closing(uint256 size, uint256, uint256) external pure returns (uint256) {
        return size;
    }
}
