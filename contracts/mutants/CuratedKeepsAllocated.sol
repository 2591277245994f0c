// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC4626} from "../interfaces/IERC4626.sol";
import {CuratedVault} from "../vaults/CuratedVault.sol";

/// @title CuratedKeepsAllocated
/// @notice Planted bug, for VLT-5: what is allocated stays idle in the books.
contract CuratedKeepsAllocated is CuratedVault {
    constructor(address a, address c, IERC4626[] memory s, string memory n, string memory y)
        CuratedVault(a, c, s, n, y)
    {}

    function _put(uint256 id, uint256 assets) internal override {
        super._put(id, assets);
        idle += assets;
    }
}
