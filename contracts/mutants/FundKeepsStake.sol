// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ClearingFund} from "../clearing/ClearingFund.sol";

/// @title FundKeepsStake
/// @notice Planted bug, for CLR-6: the house's stake pays and is still there.
contract FundKeepsStake is ClearingFund {
    constructor(address a, address t, uint256 b, uint256 p) ClearingFund(a, t, b, p) {}

    function _raiseStake(uint256 wanted) internal override returns (uint256 paid) {
        paid = super._raiseStake(wanted);
        stake += paid;
    }
}
