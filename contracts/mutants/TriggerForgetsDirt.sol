// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDutchAuction} from "../interfaces/IDutchAuction.sol";
import {LiquidationTrigger} from "../liquidation/LiquidationTrigger.sol";

/// @title TriggerForgetsDirt
/// @notice Planted bug, for AUC-1: the room is the whole limit, whatever is in auction already.
contract TriggerForgetsDirt is LiquidationTrigger {
    constructor(address admin_, IDutchAuction auction_, uint256 holeUsd_, uint256 dustUsd_)
        LiquidationTrigger(admin_, auction_, holeUsd_, dustUsd_)
    {}

    function roomUsd(address) public view override returns (uint256) {
        return holeUsd;
    }
}
