// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC4626} from "../interfaces/IERC4626.sol";
import {CuratedVault} from "../vaults/CuratedVault.sol";

/// @title CuratedForgetsLoss
/// @notice Planted bug, for VLT-7: what a strategy has lost is not noted.
contract CuratedForgetsLoss is CuratedVault {
    constructor(address a, address c, IERC4626[] memory s, string memory n, string memory y)
        CuratedVault(a, c, s, n, y)
    {}

    function _note(uint256 id, uint256 loss) internal override {
        emit Lost(id, loss);
    }
}
