// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IERC4626} from "../interfaces/IERC4626.sol";
import {IForcedTradeRouter} from "../interfaces/IForcedTradeRouter.sol";
import {IRedeemingRouter} from "../interfaces/IRedeemingRouter.sol";
import {Math} from "../libraries/Math.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {ForcedTradeRouter} from "./ForcedTradeRouter.sol";
import {Sink} from "./Sink.sol";

/// @title RedeemingRouter
/// @notice See IRedeemingRouter.
contract RedeemingRouter is IRedeemingRouter, ForcedTradeRouter {
    using SafeTransfer for IERC20;

    mapping(address share => bool) public redeems;
    mapping(address share => bool) public cutShare;

    constructor(address admin_) ForcedTradeRouter(admin_) {}

    function setRedeems(address share, bool isRedeemed) external onlyAdmin {
        redeems[share] = isRedeemed;
    }

    function setCutShare(address share, bool isCut) external onlyAdmin {
        cutShare[share] = isCut;
    }

    function sell(
        address origin,
        address account,
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 minOut,
        address to
    ) public virtual override(ForcedTradeRouter, IForcedTradeRouter) returns (uint256 amountOut) {
        if (!redeems[tokenIn]) {
            return super.sell(origin, account, tokenIn, tokenOut, amountIn, minOut, to);
        }
        address asset = IERC4626(tokenIn).asset();
        if (asset == tokenOut) {
            amountOut = _redeem(origin, account, IERC4626(tokenIn), amountIn, to);
            if (amountOut < minOut) revert SlippageExceeded(amountOut, minOut);
            return amountOut;
        }
        uint256 assets = _redeem(origin, account, IERC4626(tokenIn), amountIn, address(this));
        IERC20(asset).safeApprove(address(this), assets);
        return this.sell(origin, account, asset, tokenOut, assets, minOut, to);
    }

    function _redeem(address origin, address account, IERC4626 vault, uint256 shares, address to)
        internal
        returns (uint256 assets)
    {
        uint256 priceBefore = _priceDown(vault);
        if (cutAll || cut[origin] || cutShare[address(vault)]) {
            assets = vault.previewRedeem(shares);
            IERC20(address(vault)).safeTransferFrom(msg.sender, sink, shares);
            Sink(sink).fill(IERC20(vault.asset()), assets, to);
        } else {
            IERC20(address(vault)).safeTransferFrom(msg.sender, address(this), shares);
            assets = vault.redeem(shares, to, address(this));
        }
        emit ForcedTrade(
            ++tradeCount,
            origin,
            account,
            address(vault),
            address(vault),
            shares,
            assets,
            priceBefore,
            _priceDown(vault)
        );
    }

    /// @dev Assets for a share, 1e36; 0 once there are none.
    function _priceDown(IERC4626 vault) private view returns (uint256) {
        uint256 supply = vault.totalSupply();
        return supply == 0 ? 0 : Math.mulDivDown(vault.totalAssets(), 1e36, supply);
    }
}
