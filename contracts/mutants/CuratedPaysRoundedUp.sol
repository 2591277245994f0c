// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC4626} from "../interfaces/IERC4626.sol";
import {CuratedVault} from "../vaults/CuratedVault.sol";

/// @title CuratedPaysRoundedUp
/// @notice Planted bug, for VLT-4: whoever redeems gets a unit more than its part, at the others' expense.
contract CuratedPaysRoundedUp is CuratedVault {
    constructor(address a, address c, IERC4626[] memory s, string memory n, string memory y)
        CuratedVault(a, c, s, n, y)
    {}

    function previewRedeem(uint256 shares) public view override returns (uint256) {
        return super.previewRedeem(shares) + 1;
    }
}
