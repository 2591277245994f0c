// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILiquidationModule} from "./ILiquidationModule.sol";

/// @title English auctions, as Maker had them in March 2020
/// @notice After MakerDAO dss 1.0, cat.sol and flip.sol; Maker's names in brackets. Bids rise until they
/// reach the tab, then lots asked for it fall; each bid runs `ttl` seconds, the auction `tau`. There is no
/// reserve price: the first bid may be one base unit, and wins if nobody else comes. There is no limit on what is
/// in auction either: each call puts up one lot, and anyone may go on calling.
///
/// Bids are paid at once: to the bidder who is outbid, and what exceeds its bid towards the debt.
interface IEnglishAuction is ILiquidationModule {
    /// @param begWad Least increase of a bid, as a factor above 1 [beg].
    /// @param ttl Seconds until a bid wins [ttl].
    /// @param tau Seconds until bidding ends [tau].
    struct Config {
        uint128 begWad;
        uint64 ttl;
        uint64 tau;
    }

    /// @param largestLot Collateral assets in one auction [lump].
    /// @param penaltyBps What is raised for each unit of debt, at least 10000 [chop].
    struct Terms {
        uint128 largestLot;
        uint16 penaltyBps;
    }

    /// @param scaledClaims, scaledDebt What the auction holds and answers for.
    /// @param tab Debt assets to be raised [tab].
    /// @param lot Collateral assets for the highest bidder [lot].
    /// @param bid Debt assets bid [bid].
    /// @param bidder Zero before the first bid [guy].
    /// @param bidEnds When the bid wins; 0 before the first bid [tic].
    /// @param ends When bidding ends [end].
    struct Sale {
        address account;
        address collateralAsset;
        address debtAsset;
        uint128 scaledClaims;
        uint128 scaledDebt;
        uint128 tab;
        uint128 lot;
        uint128 bid;
        address bidder;
        uint64 bidEnds;
        uint64 ends;
    }

    event TermsSet(address indexed collateralAsset, uint256 largestLot, uint256 penaltyBps);
    event Kick(
        uint256 indexed id,
        address indexed account,
        address collateralAsset,
        address debtAsset,
        uint256 lot,
        uint256 tab
    );
    event Bid(uint256 indexed id, address indexed bidder, uint256 bid, uint256 lot);
    event Restarted(uint256 indexed id, uint256 ends);

    /// @param unpaidScaled Debt written off.
    event Closed(
        uint256 indexed id, address indexed winner, uint256 bid, uint256 lot, uint256 unpaidScaled
    );

    error NotAuctioned(address collateralAsset);
    error NotRunning(uint256 id);

    /// @notice The bid has won, or time is over.
    error Finished(uint256 id);
    error NotFinished(uint256 id);

    /// @notice Outside [least, most].
    error BidOutOfBounds(uint256 bid, uint256 least, uint256 most);

    /// @notice The tab is not bid yet: raise the bid first.
    error TabNotBid(uint256 bid, uint256 tab);
    error LotTooLarge(uint256 lot, uint256 most);

    /// @notice Only the winner may choose claims.
    error NotWinner(address caller);

    function admin() external view returns (address);
    function config() external view returns (Config memory);
    function terms(address collateralAsset) external view returns (Terms memory);
    function kicks() external view returns (uint256);
    function sale(uint256 id) external view returns (Sale memory);

    /// @notice Admin only.
    function setTerms(address collateralAsset, uint256 largestLot, uint256 penaltyBps) external;

    /// @notice Puts up one lot of an unhealthy account, with the debt in proportion [bite].
    function kick(address account, address collateralAsset, address debtAsset)
        external
        returns (uint256 id);

    /// @notice Bids more for the whole lot, at most the tab; pulled from the caller [tend].
    function raiseBid(uint256 id, uint256 bid) external;

    /// @notice Bids the tab for a smaller lot; the rest goes back to the account [dent].
    function lowerLot(uint256 id, uint256 lot) external;

    /// @notice Restarts an auction that got no bid [tick].
    function restart(uint256 id) external;

    /// @notice Pays out the winner [deal]. What is left of the debt is written off.
    /// @param receiveClaims Pay in claims; the winner only.
    function settle(uint256 id, bool receiveClaims) external;
}
