// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC4626} from "../interfaces/IERC4626.sol";
import {CuratedVault} from "../vaults/CuratedVault.sol";

/// @title CuratedCoversLeavers
/// @notice Planted bug, for VLT-8: the last holder is paid for the losses of those that left.
contract CuratedCoversLeavers is CuratedVault {
    constructor(address a, address c, IERC4626[] memory s, string memory n, string memory y)
        CuratedVault(a, c, s, n, y)
    {}

    function _forgo(uint256) internal override {}
}
