// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PerpExchange} from "../perp/PerpExchange.sol";

/// @title PerpForgetsFee
/// @notice Planted bug, for PRP-1: what rounding leaves of a fee's three shares is nobody's.
contract PerpForgetsFee is PerpExchange {
    constructor(address a, address s, address f, address r, address p, address l)
        PerpExchange(a, s, f, r, p, l)
    {}

    function _shareFee(uint256 fee) internal override {
        uint256 shares = _risk.feeVaultBps * fee / BPS + _risk.feeInsuranceBps * fee / BPS;
        uint256 toAdmin = (BPS - _risk.feeVaultBps - _risk.feeInsuranceBps) * fee / BPS;
        uint256 feesBefore = _fees;
        super._shareFee(fee);
        _fees = feesBefore + (fee - shares < toAdmin ? fee - shares : toAdmin);
    }
}
