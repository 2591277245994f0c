// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {FeedReader} from "../libraries/FeedReader.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title LibraryProbe
/// @notice The libraries' internal functions, within a test's reach.
contract LibraryProbe {
    function mulDivDown(uint256 a, uint256 b, uint256 d) external pure returns (uint256) {
        return Math.mulDivDown(a, b, d);
    }

    function mulDivUp(uint256 a, uint256 b, uint256 d) external pure returns (uint256) {
        return Math.mulDivUp(a, b, d);
    }

    function mulFull(uint256 a, uint256 b) external pure returns (uint256 high, uint256 low) {
        return Math.mulFull(a, b);
    }

    function sqrtDown(uint256 a) external pure returns (uint256) {
        return Math.sqrtDown(a);
    }

    function rpowNearest(uint256 xRay, uint256 n) external pure returns (uint256) {
        return Math.rpowNearest(xRay, n);
    }

    function read(IPriceFeed feed, uint256 maxAge, int256 minAnswer, int256 maxAnswer)
        external
        view
        returns (uint256)
    {
        return FeedReader.read(feed, maxAge, minAnswer, maxAnswer);
    }

    function safeTransfer(IERC20 token, address to, uint256 amount) external {
        SafeTransfer.safeTransfer(token, to, amount);
    }

    function safeTransferFrom(IERC20 token, address from, address to, uint256 amount) external {
        SafeTransfer.safeTransferFrom(token, from, to, amount);
    }

    function safeApprove(IERC20 token, address spender, uint256 amount) external {
        SafeTransfer.safeApprove(token, spender, amount);
    }
}
