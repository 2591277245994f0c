// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILiquidationModule} from "../interfaces/ILiquidationModule.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {Math} from "./Math.sol";
import {PositionMath} from "./PositionMath.sol";

/// @title A market's account as a liquidation sees it
library AccountReader {
    using Math for uint256;

    /// @notice An account valued at the market's prices; the entries of assets it does not hold are empty.
    struct Account {
        address owner;
        address[] assets;
        uint256[] scaled;
        IPooledMarket.AssetTerms[] terms;
        uint256 claimsUsd;
        uint256 debtUsd;
        uint256 healthFactorWad;
    }

    /// @notice What a collateral and a debt of one account come to.
    struct Pair {
        uint256 collateralId;
        uint256 debtId;
        uint256 scaledClaims;
        uint256 scaledDebt;
        uint256 claimsUsd;
        uint256 debtUsd;
    }

    /// @notice An unhealthy account, or Healthy. Reverts if the feed of an asset it holds is refused.
    function read(IPooledMarket market, address owner) internal view returns (Account memory a) {
        a.owner = owner;
        a.assets = market.assets();
        a.scaled = market.scaledPosition(owner);
        uint256[] memory prices = new uint256[](a.scaled.length);
        for (uint256 id; id < prices.length; ++id) {
            if (a.scaled[id] != 0) prices[id] = market.priceWad(a.assets[id]);
        }
        a.terms = market.assetTerms(prices);
        uint256 thresholdUsdBps;
        for (uint256 id; id < prices.length; ++id) {
            if (a.scaled[id] == 0) continue;
            (uint256 claimsUsd, uint256 debtUsd) = PositionMath.toUsd(a.scaled[id], a.terms[id]);
            a.claimsUsd += claimsUsd;
            a.debtUsd += debtUsd;
            thresholdUsdBps += claimsUsd * a.terms[id].liquidationThresholdBps;
        }
        a.healthFactorWad = PositionMath.healthFactorDown(thresholdUsdBps, a.debtUsd);
        if (a.healthFactorWad >= Math.WAD) revert ILiquidationModule.Healthy(owner, a.healthFactorWad);
    }

    function idOf(Account memory a, address asset) internal pure returns (uint256 id) {
        for (id = 0; id < a.assets.length; ++id) {
            if (a.assets[id] == asset) return id;
        }
        revert IPooledMarket.NotListed(asset);
    }

    /// @notice All of the account's claims in one asset and its debt in another.
    function pairOf(Account memory a, address collateralAsset, address debtAsset)
        internal
        pure
        returns (Pair memory pair)
    {
        (pair.collateralId, pair.debtId) = (idOf(a, collateralAsset), idOf(a, debtAsset));
        (pair.scaledClaims,) = PositionMath.split(a.scaled[pair.collateralId]);
        (, pair.scaledDebt) = PositionMath.split(a.scaled[pair.debtId]);
        if (pair.scaledClaims == 0) revert ILiquidationModule.NothingToSeize(a.owner, collateralAsset);
        if (pair.scaledDebt == 0) revert ILiquidationModule.NothingToRepay(a.owner, debtAsset);
        (pair.claimsUsd,) = PositionMath.toUsd(a.scaled[pair.collateralId], a.terms[pair.collateralId]);
        (, pair.debtUsd) = PositionMath.toUsd(a.scaled[pair.debtId], a.terms[pair.debtId]);
    }

    /// @notice Cuts a pair down so that the collateral carries no more of the debt, and the debt takes no more of
    /// the collateral, than its share of the account: every pair then has the account's own ratio of debt to
    /// collateral. An account of one collateral and one debt is left whole, as a Maker vault is.
    function cutToShare(Account memory a, Pair memory pair) internal pure {
        uint256 chargeableUsd = a.claimsUsd == 0 ? 0 : a.debtUsd.mulDivUp(pair.claimsUsd, a.claimsUsd);
        if (pair.debtUsd > chargeableUsd) {
            pair.scaledDebt = pair.scaledDebt.mulDivDown(chargeableUsd, pair.debtUsd);
            pair.debtUsd = chargeableUsd;
        } else if (pair.debtUsd < chargeableUsd) {
            pair.scaledClaims = pair.scaledClaims.mulDivDown(pair.debtUsd, chargeableUsd);
            pair.claimsUsd = pair.claimsUsd.mulDivDown(pair.debtUsd, chargeableUsd);
        }
    }
}
