// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAbsorption} from "../interfaces/IAbsorption.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {AccountReader} from "../libraries/AccountReader.sol";
import {Math} from "../libraries/Math.sol";
import {PositionMath} from "../libraries/PositionMath.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {LiquidationModule} from "./LiquidationModule.sol";

/// @title Absorption
contract Absorption is IAbsorption, LiquidationModule {
    using Math for uint256;
    using SafeTransfer for IERC20;

    address public immutable admin;
    address public immutable base;
    uint256 public immutable targetReserves;
    uint256 public immutable storeFrontPriceFactorBps;

    mapping(address asset => uint256) public liquidationFactorBps;

    constructor(
        address admin_,
        IPooledMarket market_,
        address base_,
        uint256 targetReserves_,
        uint256 storeFrontPriceFactorBps_
    ) LiquidationModule(market_) {
        if (targetReserves_ > uint256(type(int256).max)) revert InvalidConfig("targetReserves");
        if (storeFrontPriceFactorBps_ > BPS) revert InvalidConfig("storeFrontPriceFactorBps");
        admin = admin_;
        base = base_;
        targetReserves = targetReserves_;
        storeFrontPriceFactorBps = storeFrontPriceFactorBps_;
    }

    function setLiquidationFactor(address asset, uint256 factorBps) external {
        if (msg.sender != admin) revert NotAdmin(msg.sender);
        if (factorBps == 0 || factorBps > BPS || asset == base) revert InvalidConfig("liquidationFactorBps");
        liquidationFactorBps[asset] = factorBps;
        emit LiquidationFactorSet(asset, factorBps);
    }

    function absorb(address[] calldata accounts) external nonReentrant {
        for (uint256 i; i < accounts.length; ++i) {
            _absorb(accounts[i]);
        }
    }

    function buyCollateral(
        address asset,
        uint256 minAssets,
        uint256 baseAssets,
        address to,
        bool receiveClaims
    ) external nonReentrant returns (uint256 collateralAssets) {
        _requireForSale();
        uint256 price = market.priceWad(asset);
        uint256 basePrice = market.priceWad(base);
        collateralAssets = _quoteDown(asset, baseAssets, price, basePrice);
        if (collateralAssets == 0) revert ZeroAmount();
        uint256 available = collateralReserves(asset);
        if (collateralAssets > available) {
            if (available == 0 || available < minAssets) {
                revert InsufficientCollateral(asset, available, collateralAssets);
            }
            // All there is: its price is rarely a whole number of base units.
            collateralAssets = available;
            baseAssets = baseAssets.min(_costUp(asset, available, price, basePrice));
        }
        if (collateralAssets < minAssets) revert TooLittle(collateralAssets, minAssets);
        emit BuyCollateral(msg.sender, asset, baseAssets, collateralAssets, price, basePrice);

        IERC20(base).safeTransferFrom(msg.sender, address(this), baseAssets);
        uint256 baseId = _idOf(base);
        (, uint256 scaledDebt) = _held(baseId);
        _payBack(baseId, base, baseAssets, scaledDebt);
        uint256 id = _idOf(asset);
        if (receiveClaims && collateralAssets == available) {
            (uint256 scaledClaims,) = _held(id);
            _assign(id, to, scaledClaims, 0);
        } else {
            bool all = !receiveClaims && collateralAssets == available;
            _payOut(id, asset, all ? type(uint256).max : collateralAssets, to, receiveClaims);
        }
    }

    function settle() external nonReentrant {
        uint256[] memory words = market.scaledPosition(address(this));
        uint256 id = _idOf(base);
        (uint256 scaledClaims, uint256 scaledDebt) = PositionMath.split(words[id]);
        (IPooledMarket.AssetState memory state,,) = market.assetState(base);
        uint256 own = PositionMath.claimsDown(scaledClaims, state.supplyIndexRay).min(state.cash);
        if (own != 0) {
            _payOut(id, base, own, address(this), false);
            scaledDebt -= _payBack(id, base, own, scaledDebt);
        }
        words[id] = 0;
        for (uint256 i; i < words.length; ++i) {
            if (words[i] >> 128 != 0) return;
        }
        if (scaledDebt == 0) return;
        market.writeOff(address(this), base, scaledDebt);
        if (state.reserves != 0) market.coverDeficitFromReserves(base);
    }

    // ---- Views

    function reserves() public view returns (int256) {
        (IPooledMarket.AssetState memory state,,) = market.assetState(base);
        (uint256 scaledClaims, uint256 scaledDebt) = _held(_idOf(base));
        return int256(state.reserves + PositionMath.claimsDown(scaledClaims, state.supplyIndexRay))
            - int256(state.deficit + PositionMath.debtUp(scaledDebt, state.borrowIndexRay));
    }

    function quoteCollateral(address asset, uint256 baseAssets) public view returns (uint256) {
        return _quoteDown(asset, baseAssets, market.priceWad(asset), market.priceWad(base));
    }

    function askPriceWad(address asset) external view returns (uint256) {
        return _askUp(asset, market.priceWad(asset));
    }

    function collateralReserves(address asset) public view returns (uint256) {
        (IPooledMarket.AssetState memory state,,) = market.assetState(asset);
        (uint256 scaledClaims,) = _held(_idOf(asset));
        return PositionMath.claimsDown(scaledClaims, state.supplyIndexRay);
    }

    // ---- Parts

    function _requireForSale() internal view virtual {
        int256 now_ = reserves();
        if (now_ >= int256(targetReserves)) revert NotForSale(now_, targetReserves);
    }

    function _absorb(address account) private {
        AccountReader.Account memory a = AccountReader.read(market, account);
        uint256 baseId = AccountReader.idOf(a, base);
        uint256 creditUsd;
        for (uint256 id; id < a.scaled.length; ++id) {
            if (a.scaled[id] == 0) continue;
            if (id != baseId && uint128(a.scaled[id]) != 0) revert OtherDebt(account, a.assets[id]);
            (uint256 claimsUsd,) = PositionMath.toUsd(a.scaled[id], a.terms[id]);
            if (claimsUsd == 0) continue;
            creditUsd += id == baseId ? claimsUsd : _creditDown(a.assets[id], claimsUsd);
        }
        IPooledMarket.AssetTerms memory terms = a.terms[baseId];
        (, uint256 debt) = PositionMath.toAssets(a.scaled[baseId], terms);
        uint256 credited = creditUsd.mulDivDown(terms.unit, terms.priceWad).subFloor(debt);
        emit Absorb(msg.sender, account, a.claimsUsd, debt, credited, a.healthFactorWad);
        market.confiscate(account, a.scaled);
        if (credited != 0) market.draw(base, credited, account);
    }

    function _creditDown(address asset, uint256 claimsUsd) internal view virtual returns (uint256) {
        uint256 factorBps = liquidationFactorBps[asset];
        if (factorBps == 0) revert NotAbsorbed(asset);
        return claimsUsd.mulDivDown(factorBps, BPS);
    }

    function _quoteDown(address asset, uint256 baseAssets, uint256 price, uint256 basePrice)
        private
        view
        returns (uint256)
    {
        uint256 usd = baseAssets.mulDivDown(basePrice, _unit(base));
        return usd.mulDivDown(_unit(asset), _askUp(asset, price));
    }

    function _costUp(address asset, uint256 collateralAssets, uint256 price, uint256 basePrice)
        private
        view
        returns (uint256)
    {
        uint256 usd = collateralAssets.mulDivUp(_askUp(asset, price), _unit(asset));
        return usd.mulDivUp(_unit(base), basePrice);
    }

    function _askUp(address asset, uint256 price) private view returns (uint256) {
        uint256 factorBps = liquidationFactorBps[asset];
        if (factorBps == 0) revert NotAbsorbed(asset);
        uint256 discount = storeFrontPriceFactorBps * (BPS - factorBps);
        return price.mulDivUp(BPS * BPS - discount, BPS * BPS);
    }

    function _unit(address asset) private view returns (uint256) {
        return 10 ** IERC20(asset).decimals();
    }
}
