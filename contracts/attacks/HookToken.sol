// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "../tokens/ERC20.sol";

/// @title HookToken
/// @notice A token that tells its receiver of every transfer, as ERC-777 does: a receiver that asked for it is called
/// with the data it left, after the balances have changed.
contract HookToken is ERC20 {
    /// @notice The only account that may mint.
    address public immutable minter;

    mapping(address receiver => bytes data) public hooks;

    error NotMinter(address caller);

    constructor(string memory name_, string memory symbol_, uint8 decimals_, address minter_)
        ERC20(name_, symbol_, decimals_)
    {
        minter = minter_;
    }

    function mint(address to, uint256 amount) external {
        if (msg.sender != minter) revert NotMinter(msg.sender);
        _mint(to, amount);
    }

    /// @notice Calls the caller with `data` whenever it is paid; empty for no longer.
    function setHook(bytes calldata data) external {
        hooks[msg.sender] = data;
    }

    function _transfer(address from, address to, uint256 amount) internal override {
        super._transfer(from, to, amount);
        bytes memory data = hooks[to];
        if (data.length == 0) return;
        (bool done, bytes memory result) = to.call(data);
        if (done) return;
        assembly ("memory-safe") {
            revert(add(result, 32), mload(result))
        }
    }
}
