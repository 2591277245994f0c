// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PerpExchange} from "../perp/PerpExchange.sol";

/// @title PerpCreditsOneMore
/// @notice Planted bug, for PRP-5: who is charged is charged one unit less than is counted.
contract PerpCreditsOneMore is PerpExchange {
    constructor(address a, address s, address f, address r, address p, address l)
        PerpExchange(a, s, f, r, p, l)
    {}

    function _credit(bytes32 account, int256 amount) internal override {
        super._credit(account, amount);
        if (amount < 0) _accounts[account].cash += 1;
    }
}
