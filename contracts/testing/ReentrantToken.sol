// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title ReentrantToken
/// @notice A token that calls a contract back in the middle of every transfer, as tokens with hooks do.
/// The outcome of the last call back is kept for the test to read. Anyone may mint.
contract ReentrantToken {
    uint8 public constant decimals = 18;

    mapping(address account => uint256 amount) public balanceOf;
    address public target;
    bytes public data;

    /// @notice What the last call back returned or reverted with.
    bytes public outcome;

    /// @notice Call `target_` with `data_` in every transfer from now on.
    function arm(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address, uint256) external pure returns (bool) {
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        return transferFrom(msg.sender, to, amount);
    }

    /// @notice Needs no allowance.
    function transferFrom(address from, address to, uint256 amount) public returns (bool) {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        if (target != address(0)) (, outcome) = target.call(data);
        return true;
    }
}
