// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PerpExchange} from "../perp/PerpExchange.sol";

/// @title PerpForgetsOpenInterest
/// @notice Planted bug, for PRP-2: a position that is turned over leaves the open interest of its old side behind.
contract PerpForgetsOpenInterest is PerpExchange {
    constructor(address a, address s, address f, address r, address p, address l)
        PerpExchange(a, s, f, r, p, l)
    {}

    function _resize(bytes32 account, uint256 id, int256 sizeBefore, int256 sizeAfter) internal override {
        super._resize(account, id, sizeBefore, sizeAfter);
        if (sizeBefore > 0 && sizeAfter < 0) _markets[id].longSize += uint128(uint256(sizeBefore));
    }
}
