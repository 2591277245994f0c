// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IIsolatedMarket} from "../interfaces/IIsolatedMarket.sol";
import {IsolatedReceiptVault} from "../vaults/IsolatedReceiptVault.sol";

/// @title VaultKeepsWithdrawn
/// @notice Planted bug, for VLT-2: the vault counts the most units it ever had, withdrawn ones too.
contract VaultKeepsWithdrawn is IsolatedReceiptVault {
    uint256 private _most;

    constructor(IIsolatedMarket market_, bool countsGifts_, string memory name_, string memory symbol_)
        IsolatedReceiptVault(market_, countsGifts_, name_, symbol_)
    {}

    function heldUnits() public view override returns (uint256) {
        uint256 held = super.heldUnits();
        return held > _most ? held : _most;
    }

    function _withdrawFromMarket(uint256 assets, address to) internal override {
        _most = heldUnits();
        super._withdrawFromMarket(assets, to);
    }
}
