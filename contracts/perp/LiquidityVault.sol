// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {ILiquidityVault} from "../interfaces/ILiquidityVault.sol";
import {IPerpExchange} from "../interfaces/IPerpExchange.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {ERC20} from "../tokens/ERC20.sol";

/// @title LiquidityVault
/// @notice See ILiquidityVault. The money itself lies with the exchange.
contract LiquidityVault is ERC20, ILiquidityVault {
    using Math for uint256;
    using SafeTransfer for IERC20;

    /// @dev Counted as shares and as assets, so that the first depositor cannot make a share worth more than the
    /// next deposit.
    uint256 private constant VIRTUAL = 1e3;

    address public immutable exchange;
    address public immutable asset;

    constructor(address exchange_)
        ERC20("Liquidity vault", "LV", IERC20(IPerpExchange(exchange_).settlement()).decimals())
    {
        exchange = exchange_;
        asset = IPerpExchange(exchange_).settlement();
        IERC20(asset).safeApprove(exchange_, type(uint256).max);
    }

    function totalAssets() public view returns (uint256) {
        int256 equity = IPerpExchange(exchange).vaultEquity();
        return equity > 0 ? uint256(equity) : 0;
    }

    function deposit(uint256 assets, address to) external returns (uint256 shares) {
        int256 equity = IPerpExchange(exchange).vaultEquity();
        if (equity <= 0 && totalSupply != 0) revert NothingLeft(equity);
        shares = assets.mulDivDown(totalSupply + VIRTUAL, totalAssets() + VIRTUAL);
        if (shares == 0) revert ZeroShares();
        _mint(to, shares);
        emit Deposited(msg.sender, to, assets, shares);
        IERC20(asset).safeTransferFrom(msg.sender, address(this), assets);
        IPerpExchange(exchange).vaultDeposit(assets);
    }

    function redeem(uint256 shares, address to) external returns (uint256 assets) {
        assets = shares.mulDivDown(totalAssets() + VIRTUAL, totalSupply + VIRTUAL);
        if (assets == 0) revert ZeroAssets();
        _burn(msg.sender, shares);
        emit Redeemed(msg.sender, to, assets, shares);
        IPerpExchange(exchange).vaultWithdraw(assets, to);
    }
}
