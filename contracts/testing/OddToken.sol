// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title OddToken
/// @notice Answers transfers as its mode says, the way tokens in the wild do: with nothing, with false, or with
/// a bare revert.
contract OddToken {
    enum Mode {
        ReturnsNothing,
        ReturnsFalse,
        RevertsBare,
        ReturnsTrue
    }

    Mode public immutable mode;

    constructor(Mode mode_) {
        mode = mode_;
    }

    function transfer(address, uint256) external view {
        _answer();
    }

    function transferFrom(address, address, uint256) external view {
        _answer();
    }

    function approve(address, uint256) external view {
        _answer();
    }

    function _answer() private view {
        if (mode == Mode.RevertsBare) {
            assembly {
                revert(0, 0)
            }
        }
        if (mode != Mode.ReturnsNothing) {
            bool result = mode == Mode.ReturnsTrue;
            assembly {
                mstore(0, result)
                return(0, 32)
            }
        }
    }
}
