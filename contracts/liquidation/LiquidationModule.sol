// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {ILiquidationModule} from "../interfaces/ILiquidationModule.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {AccountReader} from "../libraries/AccountReader.sol";
import {Math} from "../libraries/Math.sol";
import {PositionMath} from "../libraries/PositionMath.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title LiquidationModule
/// @notice What every design does: takes over a part of an account, pays claims out, and debts back. Amounts that belong to one liquidation are kept scaled, as the market keeps them:
/// they sum to the module's account exactly, with interest.
abstract contract LiquidationModule is ILiquidationModule {
    using Math for uint256;
    using SafeTransfer for IERC20;

    uint256 internal constant BPS = PositionMath.BPS;

    IPooledMarket public immutable market;

    bool internal transient _entered;

    modifier nonReentrant() {
        if (_entered) revert Reentrancy();
        _entered = true;
        _;
        _entered = false;
    }

    constructor(IPooledMarket market_) {
        market = market_;
    }

    // ---- Taking over, paying out, paying back

    function _confiscate(address account, AccountReader.Pair memory pair) internal virtual {
        uint256[] memory taken = new uint256[](pair.collateralId.max(pair.debtId) + 1);
        taken[pair.collateralId] = PositionMath.join(pair.scaledClaims, 0);
        taken[pair.debtId] |= pair.scaledDebt;
        market.confiscate(account, taken);
    }

    /// @dev Pays out `assets` of the module's claims, in tokens, or in claims, rounded down.
    /// @return scaled Claims gone.
    function _payOut(uint256 id, address asset, uint256 assets, address to, bool asClaims)
        internal
        returns (uint256 scaled)
    {
        if (asClaims) {
            (IPooledMarket.AssetState memory state,,) = market.assetState(asset);
            scaled = assets.mulDivDown(Math.RAY, state.supplyIndexRay);
            _assign(id, to, scaled, 0);
        } else {
            (uint256 before,) = _held(id);
            market.withdraw(asset, assets, address(this), to);
            (uint256 left,) = _held(id);
            scaled = before - left;
        }
    }

    function _assign(uint256 id, address to, uint256 scaledClaims, uint256 scaledDebt) internal {
        uint256[] memory given = new uint256[](id + 1);
        given[id] = PositionMath.join(scaledClaims, scaledDebt);
        market.assign(to, given);
    }

    /// @dev Pays `assets`, which the module holds in tokens, towards `scaledDebt` of its debt; what is over
    /// goes to the reserves.
    /// @return scaled Debt gone.
    function _payBack(uint256 id, address asset, uint256 assets, uint256 scaledDebt)
        internal
        virtual
        returns (uint256 scaled)
    {
        if (assets == 0) return 0;
        IERC20(asset).safeApprove(address(market), assets);
        (IPooledMarket.AssetState memory state,,) = market.assetState(asset);
        uint256 repaid = assets.min(PositionMath.debtUp(scaledDebt, state.borrowIndexRay));
        if (repaid != 0) {
            (, uint256 before) = _held(id);
            market.repay(asset, repaid, address(this));
            (, uint256 left) = _held(id);
            scaled = before - left;
        }
        if (repaid != assets) market.fundReserves(asset, assets - repaid);
    }

    /// @dev Of a listed asset.
    function _idOf(address asset) internal view returns (uint256 id) {
        address[] memory assets = market.assets();
        while (assets[id] != asset) ++id;
    }

    /// @dev The module's own account in one asset.
    function _held(uint256 id) internal view returns (uint256 scaledClaims, uint256 scaledDebt) {
        return PositionMath.split(market.scaledPosition(address(this))[id]);
    }
}
