// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAbsorption} from "../interfaces/IAbsorption.sol";
import {IDiscountLiquidation} from "../interfaces/IDiscountLiquidation.sol";
import {IDutchAuction} from "../interfaces/IDutchAuction.sol";
import {IEnglishAuction} from "../interfaces/IEnglishAuction.sol";
import {ILiquidationTrigger} from "../interfaces/ILiquidationTrigger.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {IStabilityPool} from "../interfaces/IStabilityPool.sol";
import {PositionMath} from "../libraries/PositionMath.sol";

/// @title ModuleLens
/// @notice Reads liquidation modules in one call each, as flat words. Amounts are base units, USD is Wad.
contract ModuleLens {
    /// @notice Two words for each account: what liquidating all it allows would repay of the debt, and seize of the
    /// collateral; 0 where it would revert.
    function discountQuotes(
        IDiscountLiquidation module,
        address[] calldata accounts,
        address[] calldata collaterals,
        address[] calldata debts
    ) external view returns (uint256[] memory words) {
        words = new uint256[](2 * accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            try module.quote(accounts[i], collaterals[i], debts[i], type(uint256).max) returns (
                uint256 repaid, uint256 seized, uint256
            ) {
                (words[2 * i], words[2 * i + 1]) = (repaid, seized);
            } catch {}
        }
    }

    /// @notice Nine words for each running auction: number, 1 if it needs a reset, price (Ray), lot, tab, least tab
    /// that a purchase must leave, USD in the throttle, scaled claims, scaled debt.
    function dutchSales(IDutchAuction auction) external view returns (uint256[] memory words) {
        uint256[] memory ids = auction.list();
        words = new uint256[](9 * ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            IDutchAuction.Sale memory sale = auction.sale(ids[i]);
            uint256 row = 9 * i;
            words[row] = ids[i];
            bool needsReset;
            (needsReset, words[row + 2], words[row + 3], words[row + 4]) = auction.status(ids[i]);
            words[row + 1] = needsReset ? 1 : 0;
            (words[row + 5], words[row + 6]) = (sale.leastTab, sale.dirtUsd);
            (words[row + 7], words[row + 8]) = (sale.scaledClaims, sale.scaledDebt);
        }
    }

    /// @notice What may be in auction and is: over all collateral two words, limit and amount in auction; then for
    /// each collateral four: limit, amount, room, penalty factor (Bps).
    function throttle(ILiquidationTrigger trigger, address[] calldata collaterals)
        external
        view
        returns (uint256[] memory words)
    {
        words = new uint256[](2 + 4 * collaterals.length);
        (words[0], words[1]) = (trigger.holeUsd(), trigger.dirtUsd());
        for (uint256 i = 0; i < collaterals.length; ++i) {
            ILiquidationTrigger.Limits memory limits = trigger.limits(collaterals[i]);
            uint256 row = 2 + 4 * i;
            words[row] = limits.holeUsd;
            words[row + 1] = limits.dirtUsd;
            words[row + 2] = trigger.roomUsd(collaterals[i]);
            words[row + 3] = limits.penaltyBps;
        }
    }

    /// @notice Eight words for each auction: lot, tab, bid, bidder, when the bid wins (0 before the first), when
    /// bidding ends, scaled claims, scaled debt.
    function englishSales(IEnglishAuction auction, uint256[] calldata ids)
        external
        view
        returns (uint256[] memory words)
    {
        words = new uint256[](8 * ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            IEnglishAuction.Sale memory sale = auction.sale(ids[i]);
            uint256 row = 8 * i;
            (words[row], words[row + 1], words[row + 2]) = (sale.lot, sale.tab, sale.bid);
            words[row + 3] = uint160(sale.bidder);
            (words[row + 4], words[row + 5]) = (sale.bidEnds, sale.ends);
            (words[row + 6], words[row + 7]) = (sale.scaledClaims, sale.scaledDebt);
        }
    }

    /// @notice Four words: reserves (signed), their target, what the module owes and has of the base asset; then for
    /// each asset two: what is for sale of it, and the ask price, 0 where it is not absorbed.
    function storeFront(IAbsorption module, address[] calldata assets)
        external
        view
        returns (uint256[] memory words)
    {
        words = new uint256[](4 + 2 * assets.length);
        words[0] = uint256(module.reserves());
        words[1] = module.targetReserves();
        (words[3], words[2]) = _held(module.market(), address(module), module.base());
        for (uint256 i = 0; i < assets.length; ++i) {
            words[4 + 2 * i] = module.collateralReserves(assets[i]);
            try module.askPriceWad(assets[i]) returns (uint256 ask) {
                words[5 + 2 * i] = ask;
            } catch {}
        }
    }

    /// @notice Three words: deposits, and the module's scaled claims in the collateral and scaled debt; then for each
    /// depositor two: deposit and gain (scaled claims).
    function stabilityPool(IStabilityPool pool, address[] calldata depositors)
        external
        view
        returns (uint256[] memory words)
    {
        words = new uint256[](3 + 2 * depositors.length);
        words[0] = pool.totalDeposits();
        IPooledMarket market = pool.market();
        uint256[] memory scaled = market.scaledPosition(address(pool));
        words[1] = scaled[_idOf(market, pool.collateralAsset())] >> 128;
        words[2] = uint128(scaled[_idOf(market, pool.debtAsset())]);
        for (uint256 i = 0; i < depositors.length; ++i) {
            words[3 + 2 * i] = pool.depositOf(depositors[i]);
            words[4 + 2 * i] = pool.gainOf(depositors[i]);
        }
    }

    function _held(IPooledMarket market, address account, address asset)
        private
        view
        returns (uint256 claims, uint256 debt)
    {
        uint256 word = market.scaledPosition(account)[_idOf(market, asset)];
        return (_claims(market, asset, word >> 128), _debt(market, asset, uint128(word)));
    }

    function _claims(IPooledMarket market, address asset, uint256 scaled) private view returns (uint256) {
        (IPooledMarket.AssetState memory state,,) = market.assetState(asset);
        return PositionMath.claimsDown(scaled, state.supplyIndexRay);
    }

    function _debt(IPooledMarket market, address asset, uint256 scaled) private view returns (uint256) {
        (IPooledMarket.AssetState memory state,,) = market.assetState(asset);
        return PositionMath.debtUp(scaled, state.borrowIndexRay);
    }

    function _idOf(IPooledMarket market, address asset) private view returns (uint256 id) {
        address[] memory assets = market.assets();
        while (assets[id] != asset) ++id;
    }
}
