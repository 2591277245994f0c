// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PerpExchange} from "../perp/PerpExchange.sol";

/// @title PerpForgetsFunding
/// @notice Planted bug, for PRP-4: a position is charged its funding, and the market still expects it.
contract PerpForgetsFunding is PerpExchange {
    constructor(address a, address s, address f, address r, address p, address l)
        PerpExchange(a, s, f, r, p, l)
    {}

    function _settleFunding(bytes32 account, uint256 id) internal override returns (int256 owed) {
        int256 baseBefore = _markets[id].fundingBase;
        owed = super._settleFunding(account, id);
        _markets[id].fundingBase = baseBefore;
    }
}
