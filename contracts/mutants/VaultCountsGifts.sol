// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IIsolatedMarket} from "../interfaces/IIsolatedMarket.sol";
import {IsolatedReceiptVault} from "../vaults/IsolatedReceiptVault.sol";

/// @title VaultCountsGifts
/// @notice Planted bug, for VLT-3: says that it does not count gifts, and does.
contract VaultCountsGifts is IsolatedReceiptVault {
    constructor(IIsolatedMarket market_, bool countsGifts_, string memory name_, string memory symbol_)
        IsolatedReceiptVault(market_, countsGifts_, name_, symbol_)
    {}

    function heldUnits() public view override returns (uint256) {
        return marketUnits();
    }
}
