// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC4626} from "./IERC4626.sol";

/// @title A token for a supplier's claims on a lending market (ERC-4626)
/// @notice Assets go to the market at once, and shares are parts of the claims the vault got for them, which can
/// serve as collateral elsewhere. Shares have the asset's decimals; the first are one for one. All is rounded
/// against whoever acts: no deposit or withdrawal lowers the claims behind a share.
///
/// A gift is a supply to the market in the vault's name. Where `countsGifts`, it belongs to the holders of
/// shares, and whoever can pay for it can lift the share price at will, within one transaction, as happened to
/// Cream in October 2021. Otherwise the vault counts its own claims, and a gift is lost. Tokens sent to the
/// vault itself count in neither case.
interface IReceiptVault is IERC4626 {
    /// @notice The deposit is too small for a single share, or nothing was asked for.
    error ZeroShares();
    error Reentrancy();

    /// @notice Do gifts belong to the holders of shares?
    function countsGifts() external view returns (bool);

    /// @notice The market's units (scaled claims, or shares) behind all the vault's shares.
    function heldUnits() external view returns (uint256);

    /// @notice The units the market has down for the vault; more than `heldUnits` after a gift that does not
    /// count.
    function marketUnits() external view returns (uint256);
}
