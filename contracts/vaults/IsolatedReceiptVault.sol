// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IIsolatedMarket} from "../interfaces/IIsolatedMarket.sol";
import {IsolatedMath} from "../libraries/IsolatedMath.sol";
import {ReceiptVault} from "./ReceiptVault.sol";

/// @title IsolatedReceiptVault
/// @notice Supply to an isolated market. A unit is a supply share; bad debt makes it cheaper.
contract IsolatedReceiptVault is ReceiptVault {
    using IsolatedMath for uint256;

    constructor(IIsolatedMarket market_, bool countsGifts_, string memory name_, string memory symbol_)
        ReceiptVault(address(market_), address(market_.debtToken()), countsGifts_, name_, symbol_)
    {}

    function market() public view returns (IIsolatedMarket) {
        return IIsolatedMarket(_market);
    }

    function marketUnits() public view override returns (uint256 units) {
        (units,,) = market().position(address(this));
    }

    function _unitsDown(uint256 assets) internal view override returns (uint256) {
        IIsolatedMarket.MarketState memory state = market().marketState();
        return assets.toSharesDown(state.totalSupplyAssets, state.totalSupplyShares);
    }

    function _unitsUp(uint256 assets) internal view override returns (uint256) {
        IIsolatedMarket.MarketState memory state = market().marketState();
        return assets.toSharesUp(state.totalSupplyAssets, state.totalSupplyShares);
    }

    function _assetsDown(uint256 units) internal view override returns (uint256) {
        IIsolatedMarket.MarketState memory state = market().marketState();
        return units.toAssetsDown(state.totalSupplyAssets, state.totalSupplyShares);
    }

    function _assetsUp(uint256 units) internal view override returns (uint256) {
        IIsolatedMarket.MarketState memory state = market().marketState();
        return units.toAssetsUp(state.totalSupplyAssets, state.totalSupplyShares);
    }

    function _room() internal pure override returns (uint256) {
        return type(uint256).max;
    }

    function _cash() internal view override returns (uint256) {
        IIsolatedMarket.MarketState memory state = market().marketState();
        return state.totalSupplyAssets - state.totalBorrowAssets;
    }

    function _supplyToMarket(uint256 assets) internal override {
        market().supply(assets, 0, address(this));
    }

    function _withdrawFromMarket(uint256 assets, address to) internal virtual override {
        market().withdraw(assets, 0, address(this), to);
    }
}
