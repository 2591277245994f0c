// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPriceFeed} from "../interfaces/IPriceFeed.sol";

/// @title RelayFeed
/// @notice One market's way to a feed that several markets read: what the source says, until the operator pins
/// a round; from then on what is pinned. Pinning the rounds of a run without feedback cuts the market off the
/// shared feed and leaves every other reader as it was.
contract RelayFeed is IPriceFeed {
    struct Round {
        int192 answer;
        uint64 updatedAt;
        uint80 id;
        bool pinned;
    }

    /// @notice The only account that may pin.
    address public immutable operator;
    IPriceFeed public immutable source;
    uint8 public immutable decimals;
    uint256 public constant version = 1;

    Round private _round;

    event Pinned(uint80 indexed roundId, int256 answer, uint256 updatedAt);

    error NotOperator(address caller);

    /// @notice The answer does not fit 192 bits.
    error AnswerTooLarge(int256 answer);

    constructor(address operator_, IPriceFeed source_) {
        operator = operator_;
        source = source_;
        decimals = source_.decimals();
    }

    /// @notice Answer with this round, in the source's decimals, from now on.
    /// @param updatedAt Seconds.
    function pin(uint80 roundId, int256 answer, uint64 updatedAt) external {
        if (msg.sender != operator) revert NotOperator(msg.sender);
        if (int192(answer) != answer) revert AnswerTooLarge(answer);
        _round = Round({answer: int192(answer), updatedAt: updatedAt, id: roundId, pinned: true});
        emit Pinned(roundId, answer, updatedAt);
    }

    function description() external view returns (string memory) {
        return source.description();
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        Round memory round = _round;
        if (!round.pinned) return source.latestRoundData();
        return (round.id, round.answer, round.updatedAt, round.updatedAt, round.id);
    }

    function getRoundData(uint80 roundId)
        external
        view
        returns (uint80, int256, uint256, uint256, uint80)
    {
        Round memory round = _round;
        if (!round.pinned) return source.getRoundData(roundId);
        if (roundId != round.id) revert NoDataPresent(roundId);
        return (round.id, round.answer, round.updatedAt, round.updatedAt, round.id);
    }
}
