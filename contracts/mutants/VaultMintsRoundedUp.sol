// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IIsolatedMarket} from "../interfaces/IIsolatedMarket.sol";
import {Math} from "../libraries/Math.sol";
import {IsolatedReceiptVault} from "../vaults/IsolatedReceiptVault.sol";

/// @title VaultMintsRoundedUp
/// @notice Planted bug, for VLT-1: a depositor's shares are rounded in its favour, at the others' expense.
contract VaultMintsRoundedUp is IsolatedReceiptVault {
    constructor(IIsolatedMarket market_, bool countsGifts_, string memory name_, string memory symbol_)
        IsolatedReceiptVault(market_, countsGifts_, name_, symbol_)
    {}

    function _minted(uint256 units, uint256 held) internal view override returns (uint256) {
        return Math.mulDivUp(units, totalSupply, held) + 1;
    }
}
