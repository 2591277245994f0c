// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IConstantProductPool} from "../interfaces/IConstantProductPool.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IERC4626} from "../interfaces/IERC4626.sol";
import {IForcedTradeRouter} from "../interfaces/IForcedTradeRouter.sol";
import {IShareRouter} from "../interfaces/IShareRouter.sol";
import {Math} from "../libraries/Math.sol";
import {PoolTrade} from "../libraries/PoolTrade.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {ForcedTradeRouter} from "./ForcedTradeRouter.sol";
import {RedeemingRouter} from "./RedeemingRouter.sol";

/// @title ShareRouter
/// @notice See IShareRouter.
contract ShareRouter is IShareRouter, RedeemingRouter {
    using SafeTransfer for IERC20;

    uint256 private constant PIPS = 1e6;

    constructor(address admin_) RedeemingRouter(admin_) {}

    function sell(
        address origin,
        address account,
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 minOut,
        address to
    ) public override(RedeemingRouter, IForcedTradeRouter) returns (uint256 amountOut) {
        if (address(_poolOf(tokenIn)) == address(0)) {
            return super.sell(origin, account, tokenIn, tokenOut, amountIn, minOut, to);
        }
        address asset = IERC4626(tokenIn).asset();
        if (asset == tokenOut) {
            amountOut = _leave(origin, account, tokenIn, asset, amountIn, to);
            if (amountOut < minOut) revert SlippageExceeded(amountOut, minOut);
            return amountOut;
        }
        uint256 assets = _leave(origin, account, tokenIn, asset, amountIn, address(this));
        IERC20(asset).safeApprove(address(this), assets);
        return this.sell(origin, account, asset, tokenOut, assets, minOut, to);
    }

    function redeemedOf(address origin, address share, uint256 amount, address seller)
        public
        view
        returns (uint256 redeemed)
    {
        IConstantProductPool pool = _poolOf(share);
        if (address(pool) == address(0)) return redeems[share] ? amount : 0;
        uint256 most = cutShare[share] ? amount : Math.min(amount, IERC4626(share).maxRedeem(seller));
        uint256 better = _soldAboveWorthDown(IERC4626(share), pool);
        if (better != 0 && (cutAll || cut[origin])) return 0;
        redeemed = Math.min(most, Math.subFloor(amount, better));
        // A pool refuses what it would pay nothing for.
        if (redeemed < most && most == amount && pool.getAmountOut(share, amount - redeemed) == 0) redeemed = amount;
    }

    function _leave(
        address origin,
        address account,
        address share,
        address asset,
        uint256 amount,
        address to
    ) private returns (uint256 assets) {
        uint256 redeemed = redeemedOf(origin, share, amount, msg.sender);
        if (redeemed != 0) assets = _redeem(origin, account, IERC4626(share), redeemed, to);
        if (redeemed == amount) return assets;
        assets += ForcedTradeRouter.sell(origin, account, share, asset, amount - redeemed, 0, to);
    }

    /// @dev Shares after whose sale the pool's marginal price, net of its fee, is what a share is worth: with
    /// reserves X of shares and Y of assets, of which a part g of the input counts, and a worth w of a share,
    /// (sqrt(g X Y / w) - X) / g.
    function _soldAboveWorthDown(IERC4626 vault, IConstantProductPool pool) private view returns (uint256) {
        (uint256 reserveIn, uint256 reserveOut) = PoolTrade.reservesFrom(pool, address(vault));
        uint256 kept = PIPS - pool.feePips();
        uint256 product = reserveIn * reserveOut;
        uint256 up = vault.totalSupply() * kept;
        uint256 down = vault.totalAssets() * PIPS;
        // Where shares are worth next to nothing, no sale that fits the pool lowers its price so far.
        (uint256 high,) = Math.mulFull(product, up);
        if (high >= down) return type(uint256).max;
        uint256 root = Math.sqrtDown(Math.mulDivDown(product, up, down));
        return Math.mulDivDown(Math.subFloor(root, reserveIn), PIPS, kept);
    }

    /// @dev The pool of a vault's shares and its asset; none for what is not redeemed.
    function _poolOf(address share) private view returns (IConstantProductPool) {
        return IConstantProductPool(redeems[share] ? poolOf[share][IERC4626(share).asset()] : address(0));
    }
}
