// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IEnglishAuction} from "../interfaces/IEnglishAuction.sol";
import {IERC20} from "../interfaces/IERC20.sol";
import {IPooledMarket} from "../interfaces/IPooledMarket.sol";
import {AccountReader} from "../libraries/AccountReader.sol";
import {Math} from "../libraries/Math.sol";
import {PositionMath} from "../libraries/PositionMath.sol";
import {SafeTransfer} from "../libraries/SafeTransfer.sol";
import {LiquidationModule} from "./LiquidationModule.sol";

/// @title EnglishAuction
contract EnglishAuction is IEnglishAuction, LiquidationModule {
    using Math for uint256;
    using SafeTransfer for IERC20;

    address public immutable admin;
    uint256 public kicks;

    Config internal _config;
    mapping(address collateralAsset => Terms) internal _terms;
    mapping(uint256 id => Sale) internal _sales;

    constructor(address admin_, IPooledMarket market_, Config memory config_) LiquidationModule(market_) {
        if (config_.begWad < Math.WAD) revert InvalidConfig("begWad");
        admin = admin_;
        _config = config_;
    }

    function setTerms(address collateralAsset, uint256 largestLot, uint256 penaltyBps) external {
        if (msg.sender != admin) revert NotAdmin(msg.sender);
        if (largestLot == 0 || largestLot > type(uint128).max) revert InvalidConfig("largestLot");
        if (penaltyBps < BPS || penaltyBps > type(uint16).max) revert InvalidConfig("penaltyBps");
        _terms[collateralAsset] = Terms(uint128(largestLot), uint16(penaltyBps));
        emit TermsSet(collateralAsset, largestLot, penaltyBps);
    }

    function kick(address account, address collateralAsset, address debtAsset)
        external
        nonReentrant
        returns (uint256 id)
    {
        Terms memory own = _terms[collateralAsset];
        if (own.largestLot == 0) revert NotAuctioned(collateralAsset);
        AccountReader.Account memory a = AccountReader.read(market, account);
        AccountReader.Pair memory pair = AccountReader.pairOf(a, collateralAsset, debtAsset);
        AccountReader.cutToShare(a, pair);

        uint256 supplyIndex = a.terms[pair.collateralId].supplyIndexRay;
        uint256 lot = PositionMath.claimsDown(pair.scaledClaims, supplyIndex);
        if (lot > own.largestLot) {
            lot = own.largestLot;
            uint256 part = lot.mulDivUp(Math.RAY, supplyIndex);
            pair.scaledDebt = pair.scaledDebt.mulDivDown(part, pair.scaledClaims);
            pair.scaledClaims = part;
        }
        uint256 debt = PositionMath.debtUp(pair.scaledDebt, a.terms[pair.debtId].borrowIndexRay);
        uint256 tab = debt.mulDivDown(own.penaltyBps, BPS);
        if (tab == 0) revert ZeroAmount();

        id = ++kicks;
        Sale storage s = _sales[id];
        (s.account, s.collateralAsset, s.debtAsset) = (account, collateralAsset, debtAsset);
        (s.scaledClaims, s.scaledDebt) = (uint128(pair.scaledClaims), uint128(pair.scaledDebt));
        (s.lot, s.tab) = (uint128(lot), uint128(tab));
        s.ends = uint64(block.timestamp) + _config.tau;
        emit Kick(id, account, collateralAsset, debtAsset, lot, tab);
        _confiscate(account, pair);
    }

    function raiseBid(uint256 id, uint256 bid) external nonReentrant {
        Sale storage s = _open(id);
        uint256 least = _leastBid(s.bid, s.tab);
        if (bid < least || bid > s.tab) revert BidOutOfBounds(bid, least, s.tab);
        (address before, uint256 bidBefore) = (s.bidder, s.bid);
        s.bid = uint128(bid);
        _lead(id, s);
        _refund(s.debtAsset, before, bidBefore);
        IERC20(s.debtAsset).safeTransferFrom(msg.sender, address(this), bid - bidBefore);
        s.scaledDebt -= uint128(_payBack(_idOf(s.debtAsset), s.debtAsset, bid - bidBefore, s.scaledDebt));
    }

    function lowerLot(uint256 id, uint256 lot) external nonReentrant {
        Sale storage s = _open(id);
        if (s.bid != s.tab) revert TabNotBid(s.bid, s.tab);
        uint256 most = uint256(s.lot).mulDivDown(Math.WAD, _config.begWad);
        if (lot > most || lot >= s.lot) revert LotTooLarge(lot, most);
        uint256 given = s.lot - lot;
        address before = s.bidder;
        s.lot = uint128(lot);
        _lead(id, s);
        _refund(s.debtAsset, before, s.bid);
        s.scaledClaims -=
            uint128(_payOut(_idOf(s.collateralAsset), s.collateralAsset, given, s.account, true));
    }

    function restart(uint256 id) external {
        Sale storage s = _saleOf(id);
        if (s.bidder != address(0) || block.timestamp <= s.ends) revert NotFinished(id);
        s.ends = uint64(block.timestamp) + _config.tau;
        emit Restarted(id, s.ends);
    }

    function settle(uint256 id, bool receiveClaims) external nonReentrant {
        Sale memory s = _saleOf(id);
        if (s.bidder == address(0) || (block.timestamp <= s.bidEnds && block.timestamp <= s.ends)) {
            revert NotFinished(id);
        }
        if (receiveClaims && msg.sender != s.bidder) revert NotWinner(msg.sender);
        delete _sales[id];
        emit Closed(id, s.bidder, s.bid, s.lot, s.scaledDebt);
        uint256 collateralId = _idOf(s.collateralAsset);
        uint256 left = s.scaledClaims;
        if (s.lot != 0) left -= _payOut(collateralId, s.collateralAsset, s.lot, s.bidder, receiveClaims);
        if (left != 0) _assign(collateralId, s.account, left, 0);
        if (s.scaledDebt != 0) market.writeOff(s.account, s.debtAsset, s.scaledDebt);
    }

    // ---- Views

    function config() external view returns (Config memory) {
        return _config;
    }

    function terms(address collateralAsset) external view returns (Terms memory) {
        return _terms[collateralAsset];
    }

    function sale(uint256 id) external view returns (Sale memory) {
        return _saleOf(id);
    }

    // ---- Rules

    /// @dev At least one base unit more, and by the factor unless that passes the tab.
    function _leastBid(uint256 bid, uint256 tab) internal view virtual returns (uint256) {
        return bid.mulDivUp(_config.begWad, Math.WAD).max(bid + 1).min(tab.max(bid + 1));
    }

    // ---- Parts

    function _lead(uint256 id, Sale storage s) private {
        s.bidder = msg.sender;
        s.bidEnds = uint64(block.timestamp) + _config.ttl;
        emit Bid(id, msg.sender, s.bid, s.lot);
    }

    /// @dev The caller takes over the bid.
    function _refund(address debtAsset, address bidder, uint256 bid) private {
        if (bidder == address(0) || bidder == msg.sender) return;
        IERC20(debtAsset).safeTransferFrom(msg.sender, bidder, bid);
    }

    function _open(uint256 id) private view returns (Sale storage s) {
        s = _saleOf(id);
        bool won = s.bidder != address(0) && block.timestamp >= s.bidEnds;
        if (won || block.timestamp >= s.ends) revert Finished(id);
    }

    function _saleOf(uint256 id) private view returns (Sale storage s) {
        s = _sales[id];
        if (s.account == address(0)) revert NotRunning(id);
    }
}
