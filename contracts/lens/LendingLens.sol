// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {PositionMath} from "../libraries/PositionMath.sol";
import {Math} from "../libraries/Math.sol";

/// @title LendingLens
/// @notice Reads a pooled market for thousands of accounts in one call, as flat words, with the arithmetic
/// the market itself decides with (PositionMath). `pricesWad` are USD per whole token, one for each asset of
/// the market in the order of its ids. USD amounts are Wad.
contract LendingLens {
    using Math for uint256;

    uint256 private constant BPS = PositionMath.BPS;

    /// @notice Health factor reported where the feed of an asset the account holds is refused: such an
    /// account cannot be liquidated now.
    uint256 public constant UNPRICED = type(uint256).max - 1;

    /// @notice Ten words for each asset, interest charged up to now: cash, totalClaims, totalDebt, reserves,
    /// deficit, supplyIndexRay, borrowIndexRay, totalScaledSupply, totalScaledDebt, priceWad (0 if the feed's
    /// answer is refused).
    function assetStates(IPooledMarket market) external view returns (uint256[] memory words) {
        address[] memory assets = market.assets();
        words = new uint256[](10 * assets.length);
        uint256 next = 0;
        for (uint256 id = 0; id < assets.length; ++id) {
            (IPooledMarket.AssetState memory state, uint256 totalClaims, uint256 totalDebt) =
                market.assetState(assets[id]);
            words[next++] = state.cash;
            words[next++] = totalClaims;
            words[next++] = totalDebt;
            words[next++] = state.reserves;
            words[next++] = state.deficit;
            words[next++] = state.supplyIndexRay;
            words[next++] = state.borrowIndexRay;
            words[next++] = state.totalScaledSupply;
            words[next++] = state.totalScaledDebt;
            words[next++] = _priceWad(market, assets[id]);
        }
    }

    /// @notice One word for each asset of each account: scaled claims << 128 | scaled debt.
    function scaledPositions(IPooledMarket market, address[] calldata accounts)
        external
        view
        returns (uint256[] memory words)
    {
        uint256 count = market.assetCount();
        words = new uint256[](count * accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            uint256[] memory scaled = market.scaledPosition(accounts[i]);
            for (uint256 id = 0; id < count; ++id) {
                words[i * count + id] = scaled[id];
            }
        }
    }

    /// @notice One word for each asset of each account, in assets at this block's indexes: claims, rounded
    /// down, << 128 | debt, rounded up.
    function positions(IPooledMarket market, address[] calldata accounts)
        external
        view
        returns (uint256[] memory words)
    {
        uint256 count = market.assetCount();
        IPooledMarket.AssetTerms[] memory terms = market.assetTerms(new uint256[](count));
        words = new uint256[](count * accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            uint256[] memory scaled = market.scaledPosition(accounts[i]);
            for (uint256 id = 0; id < count; ++id) {
                (uint256 claims, uint256 debt) = PositionMath.toAssets(scaled[id], terms[id]);
                words[i * count + id] = PositionMath.join(claims, debt);
            }
        }
    }

    /// @notice Health factor of each account at the market's own prices: Wad, type(uint256).max without debt,
    /// or UNPRICED.
    function healthFactors(IPooledMarket market, address[] calldata accounts)
        external
        view
        returns (uint256[] memory words)
    {
        uint256[] memory prices = _pricesWad(market);
        IPooledMarket.AssetTerms[] memory terms = market.assetTerms(prices);
        words = new uint256[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            words[i] = _healthFactor(market.scaledPosition(accounts[i]), terms, prices);
        }
    }

    /// @notice Health factor of each account at the given prices: Wad, type(uint256).max without debt.
    function healthFactorsAt(IPooledMarket market, address[] calldata accounts, uint256[] calldata pricesWad)
        external
        view
        returns (uint256[] memory words)
    {
        IPooledMarket.AssetTerms[] memory terms = market.assetTerms(pricesWad);
        words = new uint256[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            (, uint256 debtUsd, uint256 thresholdUsdBps) = _value(market.scaledPosition(accounts[i]), terms);
            words[i] = PositionMath.healthFactorDown(thresholdUsdBps, debtUsd);
        }
    }

    /// @notice Four words for each account at the given prices: claims in USD, debt in USD, claims that count
    /// (times the liquidation threshold) in USD, health factor.
    function valuesAt(IPooledMarket market, address[] calldata accounts, uint256[] calldata pricesWad)
        external
        view
        returns (uint256[] memory words)
    {
        IPooledMarket.AssetTerms[] memory terms = market.assetTerms(pricesWad);
        words = new uint256[](4 * accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            uint256[] memory scaled = market.scaledPosition(accounts[i]);
            (uint256 claimsUsd, uint256 debtUsd, uint256 thresholdUsdBps) = _value(scaled, terms);
            words[4 * i] = claimsUsd;
            words[4 * i + 1] = debtUsd;
            words[4 * i + 2] = thresholdUsdBps / BPS;
            words[4 * i + 3] = PositionMath.healthFactorDown(thresholdUsdBps, debtUsd);
        }
    }

    /// @notice Unrealised losses at the given prices, summed over the accounts.
    /// @return marketShortfallUsd sum of max(0, debt - claims), rounded up.
    /// @return liquidationShortfallUsd sum of max(0, debt - sum over assets of claims / (1 + bonus)), rounded
    /// up: what liquidating everybody at these prices would leave unpaid.
    /// @return marketCount Accounts with a market shortfall.
    /// @return liquidationCount Accounts with a liquidation shortfall.
    function shortfallAt(IPooledMarket market, address[] calldata accounts, uint256[] calldata pricesWad)
        external
        view
        returns (
            uint256 marketShortfallUsd,
            uint256 liquidationShortfallUsd,
            uint256 marketCount,
            uint256 liquidationCount
        )
    {
        IPooledMarket.AssetTerms[] memory terms = market.assetTerms(pricesWad);
        for (uint256 i = 0; i < accounts.length; ++i) {
            uint256[] memory scaled = market.scaledPosition(accounts[i]);
            uint256 claims;
            uint256 payable_;
            uint256 debt;
            for (uint256 id = 0; id < scaled.length; ++id) {
                if (scaled[id] == 0) continue;
                (uint256 claimsUsd, uint256 debtUsd) = PositionMath.toUsd(scaled[id], terms[id]);
                claims += claimsUsd;
                payable_ += claimsUsd.mulDivDown(BPS, BPS + terms[id].liquidationBonusBps);
                debt += debtUsd;
            }
            if (debt > claims) {
                marketShortfallUsd += debt - claims;
                ++marketCount;
            }
            if (debt > payable_) {
                liquidationShortfallUsd += debt - payable_;
                ++liquidationCount;
            }
        }
    }

    /// @notice Five words for each account: health factor now (as `healthFactors`), id of the asset with its
    /// largest claim in USD, id of its largest debt, and what `liquidate` with type(uint256).max would repay
    /// of that debt and pay out of that claim now; the last two are 0 where it would revert, healthy accounts
    /// included. Cash is not looked at: a seizure above the asset's cash can be paid in claims only.
    function liquidationQuotes(IPooledMarket market, address[] calldata accounts)
        external
        view
        returns (uint256[] memory words)
    {
        address[] memory assets = market.assets();
        uint256[] memory prices = _pricesWad(market);
        IPooledMarket.AssetTerms[] memory terms = market.assetTerms(prices);
        words = new uint256[](5 * accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            uint256 row = 5 * i;
            uint256[] memory scaled = market.scaledPosition(accounts[i]);
            words[row] = _healthFactor(scaled, terms, prices);
            (words[row + 1], words[row + 2]) = _largest(scaled, terms);
            (words[row + 3], words[row + 4]) =
                _quote(market, accounts[i], assets[words[row + 1]], assets[words[row + 2]]);
        }
    }

    /// @dev At the market's prices, 0 among them for one that is not known.
    function _healthFactor(
        uint256[] memory scaled,
        IPooledMarket.AssetTerms[] memory terms,
        uint256[] memory prices
    ) private pure returns (uint256) {
        if (_isUnpriced(scaled, prices)) return UNPRICED;
        (, uint256 debtUsd, uint256 thresholdUsdBps) = _value(scaled, terms);
        return PositionMath.healthFactorDown(thresholdUsdBps, debtUsd);
    }

    function _quote(IPooledMarket market, address account, address collateralAsset, address debtAsset)
        private
        view
        returns (uint256, uint256)
    {
        try market.quoteLiquidation(account, collateralAsset, debtAsset, type(uint256).max) returns (
            uint256 repaid, uint256 seized, uint256, uint256, uint256, uint256
        ) {
            return (repaid, seized);
        } catch {
            return (0, 0);
        }
    }

    function _value(uint256[] memory scaled, IPooledMarket.AssetTerms[] memory terms)
        private
        pure
        returns (uint256 claimsUsd, uint256 debtUsd, uint256 thresholdUsdBps)
    {
        for (uint256 id = 0; id < scaled.length; ++id) {
            if (scaled[id] == 0) continue;
            (uint256 claims, uint256 debt) = PositionMath.toUsd(scaled[id], terms[id]);
            claimsUsd += claims;
            debtUsd += debt;
            thresholdUsdBps += claims * terms[id].liquidationThresholdBps;
        }
    }

    /// @dev In debt, and holding an asset without a price.
    function _isUnpriced(uint256[] memory scaled, uint256[] memory prices) private pure returns (bool) {
        bool unpriced = false;
        bool inDebt = false;
        for (uint256 id = 0; id < scaled.length; ++id) {
            if (scaled[id] == 0) continue;
            unpriced = unpriced || prices[id] == 0;
            inDebt = inDebt || uint128(scaled[id]) != 0;
        }
        return unpriced && inDebt;
    }

    /// @dev The first of equals; asset 0 where there is nothing.
    function _largest(uint256[] memory scaled, IPooledMarket.AssetTerms[] memory terms)
        private
        pure
        returns (uint256 collateralId, uint256 debtId)
    {
        uint256 largestClaims;
        uint256 largestDebt;
        for (uint256 id = 0; id < scaled.length; ++id) {
            if (scaled[id] == 0) continue;
            (uint256 claims, uint256 debt) = PositionMath.toUsd(scaled[id], terms[id]);
            if (claims > largestClaims) (largestClaims, collateralId) = (claims, id);
            if (debt > largestDebt) (largestDebt, debtId) = (debt, id);
        }
    }

    /// @dev By id; 0 where the feed's answer is refused.
    function _pricesWad(IPooledMarket market) private view returns (uint256[] memory prices) {
        address[] memory assets = market.assets();
        prices = new uint256[](assets.length);
        for (uint256 id = 0; id < assets.length; ++id) {
            prices[id] = _priceWad(market, assets[id]);
        }
    }

    function _priceWad(IPooledMarket market, address asset) private view returns (uint256) {
        try market.priceWad(asset) returns (uint256 price) {
            return price;
        } catch {
            return 0;
        }
    }
}
