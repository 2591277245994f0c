// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {Math} from "../libraries/Math.sol";
import {ReceiptVault} from "./ReceiptVault.sol";

/// @title PooledReceiptVault
/// @notice Claims on one asset of a pooled market. A unit is a scaled claim.
contract PooledReceiptVault is ReceiptVault {
    using Math for uint256;

    uint256 private immutable _id;

    error NotListed(address asset);

    constructor(
        IPooledMarket market_,
        address asset_,
        bool countsGifts_,
        string memory name_,
        string memory symbol_
    ) ReceiptVault(address(market_), asset_, countsGifts_, name_, symbol_) {
        address[] memory assets = market_.assets();
        uint256 id = 0;
        while (id < assets.length && assets[id] != asset_) ++id;
        if (id == assets.length) revert NotListed(asset_);
        _id = id;
    }

    function market() public view returns (IPooledMarket) {
        return IPooledMarket(_market);
    }

    function marketUnits() public view override returns (uint256) {
        return market().scaledPosition(address(this))[_id] >> 128;
    }

    function _unitsDown(uint256 assets) internal view override returns (uint256) {
        return assets.mulDivDown(Math.RAY, _indexRay());
    }

    function _unitsUp(uint256 assets) internal view override returns (uint256) {
        return assets.mulDivUp(Math.RAY, _indexRay());
    }

    function _assetsDown(uint256 units) internal view override returns (uint256) {
        return units.mulDivDown(_indexRay(), Math.RAY);
    }

    function _assetsUp(uint256 units) internal view override returns (uint256) {
        return units.mulDivUp(_indexRay(), Math.RAY);
    }

    function _room() internal view override returns (uint256) {
        (, uint256 totalClaims,) = market().assetState(asset);
        uint256 cap = market().assetConfig(asset).supplyCap;
        return cap == type(uint128).max ? type(uint256).max : cap.subFloor(totalClaims);
    }

    function _cash() internal view override returns (uint256) {
        (IPooledMarket.AssetState memory state,,) = market().assetState(asset);
        return state.cash;
    }

    function _supplyToMarket(uint256 assets) internal override {
        market().supply(asset, assets, address(this));
    }

    function _withdrawFromMarket(uint256 assets, address to) internal override {
        market().withdraw(asset, assets, address(this), to);
    }

    function _indexRay() private view returns (uint256) {
        (IPooledMarket.AssetState memory state,,) = market().assetState(asset);
        return state.supplyIndexRay;
    }
}
