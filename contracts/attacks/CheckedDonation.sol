// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {UncheckedDonation} from "./UncheckedDonation.sol";

/// @title CheckedDonation
/// @notice UncheckedDonation as it should have been: who gives must stay healthy.
contract CheckedDonation is UncheckedDonation {
    constructor(address admin_, LiquidationConfig memory config) UncheckedDonation(admin_, config) {}

    function _checkGiver(address account) internal view override {
        _requireHealthy(account);
    }
}
