// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC4626} from "../interfaces/IERC4626.sol";
import {CuratedVault} from "../vaults/CuratedVault.sol";

/// @title CuratedCountsGifts
/// @notice Planted bug, for VLT-6: a strategy's shares count, whoever sent them.
contract CuratedCountsGifts is CuratedVault {
    constructor(address a, address c, IERC4626[] memory s, string memory n, string memory y)
        CuratedVault(a, c, s, n, y)
    {}

    function _sharesOf(uint256 id) internal view override returns (uint256) {
        return _strategies[id].vault.balanceOf(address(this));
    }
}
