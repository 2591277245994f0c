// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "../tokens/ERC20.sol";

/// @title TokenMintsOneMore
/// @notice Planted bug, for TOK-1: every mint credits a unit more than it adds to the total supply. Anyone may
/// mint.
contract TokenMintsOneMore is ERC20 {
    constructor(string memory name_, string memory symbol_, uint8 decimals_, address)
        ERC20(name_, symbol_, decimals_)
    {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
        balanceOf[to] += 1;
    }
}
