// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "../interfaces/IERC20.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {IPriceFeed} from "../interfaces/IPriceFeed.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";

/// @title UnlockedLending
/// @notice A lending market that pays out before it books the debt, and has no lock, as Cream's of August 2021, which was
/// drained through AMP's transfer hook. Without interest and liquidation, which the attack does not need.
/// @dev The way protocols were; PooledMarket books first and is locked.
contract UnlockedLending {
    using SafeTransfer for IERC20;

    address[] private _assets;
    mapping(address asset => IPriceFeed feed) private _feeds;
    mapping(address account => mapping(address asset => uint256 amount)) private _claims;
    mapping(address account => mapping(address asset => uint256 amount)) private _debts;
    mapping(address asset => uint256 amount) private _totalClaims;
    mapping(address asset => uint256 amount) private _totalDebts;

    /// @notice Share of all claims that may be borrowed.
    uint256 public immutable ltvBps;

    /// @param feeds_ Of USD prices with 8 decimals, by asset.
    constructor(address[] memory assets_, IPriceFeed[] memory feeds_, uint256 ltvBps_) {
        _assets = assets_;
        ltvBps = ltvBps_;
        for (uint256 i = 0; i < assets_.length; ++i) {
            _feeds[assets_[i]] = feeds_[i];
        }
    }

    function supply(address asset, uint256 amount, address onBehalf) external {
        IERC20(asset).safeTransferFrom(msg.sender, address(this), amount);
        _claims[onBehalf][asset] += amount;
        _totalClaims[asset] += amount;
    }

    function borrow(address asset, uint256 amount, address owner, address to) external {
        if (msg.sender != owner) revert IPooledMarket.NotAuthorised(owner, msg.sender);
        (uint256 claimsUsd, uint256 debtUsd) = _worth(owner);
        uint256 limit = (claimsUsd * ltvBps) / 1e4;
        debtUsd += _usd(asset, amount);
        if (debtUsd > limit) revert IPooledMarket.BorrowLimitExceeded(owner, debtUsd, limit);
        IERC20(asset).safeTransfer(to, amount); // before the debt is there: the fault
        _debts[owner][asset] += amount;
        _totalDebts[asset] += amount;
    }

    /// @notice As IPooledMarket's, without reserves and deficit.
    function assetState(address asset)
        external
        view
        returns (IPooledMarket.AssetState memory state, uint256 totalClaims, uint256 totalDebt)
    {
        (totalClaims, totalDebt) = (_totalClaims[asset], _totalDebts[asset]);
        state.cash = totalClaims - totalDebt;
    }

    /// @notice As IPooledMarket's.
    function position(address account) external view returns (uint256[] memory words) {
        words = new uint256[](_assets.length);
        for (uint256 i = 0; i < words.length; ++i) {
            words[i] = (_claims[account][_assets[i]] << 128) | _debts[account][_assets[i]];
        }
    }

    function _worth(address account) private view returns (uint256 claimsUsd, uint256 debtUsd) {
        for (uint256 i = 0; i < _assets.length; ++i) {
            claimsUsd += _usd(_assets[i], _claims[account][_assets[i]]);
            debtUsd += _usd(_assets[i], _debts[account][_assets[i]]);
        }
    }

    /// @dev Wad.
    function _usd(address asset, uint256 amount) private view returns (uint256) {
        (, int256 answer,,,) = _feeds[asset].latestRoundData();
        return (amount * uint256(answer) * 1e10) / 10 ** IERC20(asset).decimals();
    }
}
