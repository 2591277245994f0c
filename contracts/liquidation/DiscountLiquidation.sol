// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDiscountLiquidation} from "../interfaces/IDiscountLiquidation.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {AccountReader} from "../libraries/AccountReader.sol";
import {Math} from "../libraries/Math.sol";
import {PositionMath} from "../libraries/PositionMath.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {LiquidationModule} from "./LiquidationModule.sol";

/// @title DiscountLiquidation
contract DiscountLiquidation is IDiscountLiquidation, LiquidationModule {
    using Math for uint256;
    using SafeTransfer for IERC20;

    uint256 public immutable maxDiscountWad;

    constructor(IPooledMarket market_, uint256 maxDiscountWad_) LiquidationModule(market_) {
        if (maxDiscountWad_ >= Math.WAD) revert InvalidConfig("maxDiscountWad");
        maxDiscountWad = maxDiscountWad_;
    }

    function liquidate(
        address account,
        address collateralAsset,
        address debtAsset,
        uint256 repayAssets,
        uint256 minSeized,
        bool receiveClaims,
        address to
    ) external nonReentrant returns (uint256 repaid, uint256 seized) {
        AccountReader.Account memory a = AccountReader.read(market, account);
        AccountReader.Pair memory pair = AccountReader.pairOf(a, collateralAsset, debtAsset);
        uint256 discountWad;
        (repaid, seized, discountWad) = _cut(a, pair, repayAssets);
        if (seized < minSeized) revert TooLittle(seized, minSeized);
        emit DiscountedLiquidation(
            account, msg.sender, collateralAsset, debtAsset, repaid, seized, discountWad, a.healthFactorWad
        );
        _confiscate(account, pair);
        IERC20(debtAsset).safeTransferFrom(msg.sender, address(this), repaid);
        _payBack(pair.debtId, debtAsset, repaid, pair.scaledDebt);
        if (receiveClaims) _assign(pair.collateralId, to, pair.scaledClaims, 0);
        else _payOut(pair.collateralId, collateralAsset, seized, to, false);
    }

    function quote(address account, address collateralAsset, address debtAsset, uint256 repayAssets)
        external
        view
        returns (uint256 repaid, uint256 seized, uint256 discountWad)
    {
        AccountReader.Account memory a = AccountReader.read(market, account);
        return _cut(a, AccountReader.pairOf(a, collateralAsset, debtAsset), repayAssets);
    }

    function _discountWad(uint256 healthFactorWad) internal view virtual returns (uint256) {
        return (Math.WAD - healthFactorWad).min(maxDiscountWad);
    }

    /// @dev Cuts the pair down to what this liquidation takes.
    function _cut(AccountReader.Account memory a, AccountReader.Pair memory pair, uint256 repayAssets)
        private
        view
        returns (uint256 repaid, uint256 seized, uint256 discountWad)
    {
        discountWad = _discountWad(a.healthFactorWad);
        uint256 factorWad = Math.WAD - discountWad;
        IPooledMarket.AssetTerms memory collateral = a.terms[pair.collateralId];
        IPooledMarket.AssetTerms memory debt = a.terms[pair.debtId];
        uint256 allClaims = PositionMath.claimsDown(pair.scaledClaims, collateral.supplyIndexRay);
        if (pair.claimsUsd == 0) {
            pair.scaledDebt = 0;
            return (0, allClaims, discountWad);
        }
        uint256 allDebt = PositionMath.debtUp(pair.scaledDebt, debt.borrowIndexRay);

        // The most that collateral and debt allow: one of them whole.
        uint256 mostSeized = allClaims;
        uint256 mostRepaid = allDebt;
        if (pair.debtUsd.mulDivDown(Math.WAD, factorWad) > pair.claimsUsd) {
            uint256 coveredUsd = allClaims.mulDivUp(collateral.priceWad, collateral.unit);
            coveredUsd = coveredUsd.mulDivUp(factorWad, Math.WAD);
            mostRepaid = mostRepaid.min(coveredUsd.mulDivUp(debt.unit, debt.priceWad));
        } else {
            uint256 paidUsd = allDebt.mulDivDown(debt.priceWad, debt.unit);
            uint256 worthUsd = paidUsd.mulDivDown(Math.WAD, factorWad);
            mostSeized = mostSeized.min(worthUsd.mulDivDown(collateral.unit, collateral.priceWad));
        }
        repaid = repayAssets.min(mostRepaid);
        if (repaid == 0) revert ZeroAmount();
        seized = repaid == mostRepaid ? mostSeized : mostSeized.mulDivDown(repaid, mostRepaid);

        if (repaid < allDebt) pair.scaledDebt = repaid.mulDivDown(Math.RAY, debt.borrowIndexRay);
        if (seized < allClaims) pair.scaledClaims = seized.mulDivUp(Math.RAY, collateral.supplyIndexRay);
    }
}
