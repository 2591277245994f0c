// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title What comes after the insurance fund and the vault
/// @notice A default fund, deleveraging and socialised losses. The exchange reports a default in the middle of a
/// liquidation and must not be called back then; the steps follow in transactions of their own, through the
/// functions of IPerpExchange that only the waterfall may call.
interface IDefaultWaterfall {
    /// @notice This account is past its backstop, and neither fund nor vault takes it. It is frozen: only the
    /// waterfall can close its positions (closePair, closeToVault), and writeOff frees it again.
    /// @param equity Settlement units, below zero as a rule.
    function onDefault(bytes32 account, int256 equity) external;

    /// @notice An account was closed out, and this much of its loss is left as deficit of the exchange.
    /// @param amount Settlement units.
    function onDeficit(bytes32 account, uint256 amount) external;
}
