// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDutchAuction} from "../interfaces/IDutchAuction.sol";
import {ILiquidationTrigger} from "../interfaces/ILiquidationTrigger.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {AccountReader} from "../libraries/AccountReader.sol";
import {Math} from "../libraries/Math.sol";
import {PositionMath} from "../libraries/PositionMath.sol";

/// @title LiquidationTrigger
contract LiquidationTrigger is ILiquidationTrigger {
    using Math for uint256;

    uint256 internal constant BPS = PositionMath.BPS;

    address public immutable admin;
    IPooledMarket public immutable market;
    IDutchAuction public immutable auction;
    uint256 public immutable dustUsd;

    uint256 public holeUsd;
    uint256 public dirtUsd;
    mapping(address collateralAsset => Limits) internal _limits;

    modifier onlyAdmin() {
        if (msg.sender != admin) revert NotAdmin(msg.sender);
        _;
    }

    constructor(address admin_, IDutchAuction auction_, uint256 holeUsd_, uint256 dustUsd_) {
        admin = admin_;
        auction = auction_;
        market = auction_.market();
        holeUsd = holeUsd_;
        dustUsd = dustUsd_;
    }

    function setHole(uint256 holeUsd_) external onlyAdmin {
        holeUsd = holeUsd_;
        emit HoleSet(holeUsd_);
    }

    function setLimits(address collateralAsset, uint256 holeUsd_, uint256 penaltyBps) external onlyAdmin {
        if (penaltyBps < BPS || penaltyBps > type(uint16).max) revert InvalidConfig("penaltyBps");
        if (holeUsd_ > type(uint128).max) revert InvalidConfig("holeUsd");
        Limits storage own = _limits[collateralAsset];
        (own.holeUsd, own.penaltyBps) = (uint128(holeUsd_), uint16(penaltyBps));
        emit LimitsSet(collateralAsset, holeUsd_, penaltyBps);
    }

    function trigger(address account, address collateralAsset, address debtAsset, address keeper)
        external
        returns (uint256 auctionId)
    {
        uint256 penaltyBps = _limits[collateralAsset].penaltyBps;
        if (penaltyBps == 0) revert NotAuctioned(collateralAsset);
        AccountReader.Account memory a = AccountReader.read(market, account);
        AccountReader.Pair memory pair = AccountReader.pairOf(a, collateralAsset, debtAsset);
        AccountReader.cutToShare(a, pair);
        IPooledMarket.AssetTerms memory debtTerms = a.terms[pair.debtId];
        _cutToRoom(pair, debtTerms, collateralAsset, penaltyBps);

        uint256 debt = PositionMath.debtUp(pair.scaledDebt, debtTerms.borrowIndexRay);
        uint256 debtUsd = debt.mulDivUp(debtTerms.priceWad, debtTerms.unit);
        uint256 usd = debtUsd.mulDivDown(penaltyBps, BPS);
        dirtUsd += usd;
        _limits[collateralAsset].dirtUsd += uint128(usd);
        IDutchAuction.Sale memory terms;
        terms.account = account;
        terms.collateralAsset = collateralAsset;
        terms.debtAsset = debtAsset;
        terms.scaledClaims = uint128(pair.scaledClaims);
        terms.scaledDebt = uint128(pair.scaledDebt);
        terms.tab = uint128(debt.mulDivDown(penaltyBps, BPS));
        terms.dirtUsd = uint128(usd);
        terms.leastTab = uint128(
            dustUsd.mulDivDown(penaltyBps, BPS).mulDivDown(debtTerms.unit, debtTerms.priceWad)
        );
        auctionId = auction.kick(terms, keeper);
        emit Triggered(account, collateralAsset, debtAsset, auctionId, debtUsd, usd);
    }

    function clear(address collateralAsset, uint256 usd) external {
        if (msg.sender != address(auction)) revert NotAuction(msg.sender);
        dirtUsd -= usd;
        _limits[collateralAsset].dirtUsd -= uint128(usd);
        emit Cleared(collateralAsset, usd);
    }

    function limits(address collateralAsset) external view returns (Limits memory) {
        return _limits[collateralAsset];
    }

    function roomUsd(address collateralAsset) public view virtual returns (uint256) {
        Limits storage own = _limits[collateralAsset];
        return holeUsd.subFloor(dirtUsd).min(uint256(own.holeUsd).subFloor(own.dirtUsd));
    }

    /// @dev In the whole pair, or in a part that with the penalty is no larger than the room.
    function _cutToRoom(
        AccountReader.Pair memory pair,
        IPooledMarket.AssetTerms memory debtTerms,
        address collateralAsset,
        uint256 penaltyBps
    ) private view {
        uint256 room = roomUsd(collateralAsset);
        if (room == 0) revert NoRoom(collateralAsset);
        uint256 fitsUsd = room.mulDivDown(BPS, penaltyBps);
        if (pair.debtUsd <= fitsUsd || pair.debtUsd - fitsUsd < dustUsd) return;
        if (fitsUsd < dustUsd) revert DustyAuction(fitsUsd);

        uint256 whole = pair.scaledDebt;
        uint256 fits = fitsUsd.mulDivDown(debtTerms.unit, debtTerms.priceWad);
        pair.scaledDebt = fits.mulDivDown(Math.RAY, debtTerms.borrowIndexRay);
        if (pair.scaledDebt == 0) revert NoRoom(collateralAsset);
        pair.scaledClaims = pair.scaledClaims.mulDivDown(pair.scaledDebt, whole);
    }
}
