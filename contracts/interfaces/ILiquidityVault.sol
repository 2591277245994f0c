// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The other side of every trade of a perpetual exchange
/// @notice Shares of the exchange's vault cash and of what its positions are worth. All rounding stays with the
/// vault. Shares carry the settlement token's decimals.
interface ILiquidityVault {
    event Deposited(address indexed payer, address indexed to, uint256 assets, uint256 shares);
    event Redeemed(address indexed owner, address indexed to, uint256 assets, uint256 shares);

    error ZeroShares();
    error ZeroAssets();

    /// @notice The vault has lost all it had: its shares cannot be priced.
    error NothingLeft(int256 equity);

    function exchange() external view returns (address);

    function asset() external view returns (address);

    /// @notice Equity of the vault at the mark prices, rounded down; 0 if it is below zero.
    function totalAssets() external view returns (uint256);

    /// @return shares Rounded down.
    function deposit(uint256 assets, address to) external returns (uint256 shares);

    /// @notice Reverts with VaultLocked where the exchange's open interest needs the vault's equity.
    /// @return assets Rounded down.
    function redeem(uint256 shares, address to) external returns (uint256 assets);
}
