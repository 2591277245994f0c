// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDutchAuction} from "./IDutchAuction.sol";
import {IPooledMarket} from "./IPooledMarket.sol";

/// @title Decides what goes to auction, and how much may be there at once
/// @notice After MakerDAO dss, dog.sol; Maker's names in brackets. USD amounts are Wad.
///
///     room = min(hole - dirt, hole of the collateral - dirt of the collateral)
///
/// An account whose debt with the penalty is above the room is liquidated in part. Where either part would be
/// worth less than `dustUsd`, it is liquidated whole, or not at all: so dirt can pass a hole, by less than
/// dustUsd x penalty.
interface ILiquidationTrigger {
    /// @param holeUsd Most that may be raised at once from this collateral [hole].
    /// @param dirtUsd What auctions are raising from it now [dirt].
    /// @param penaltyBps What is raised for each unit of debt, in Bps of it: at least 10000 [chop].
    struct Limits {
        uint128 holeUsd;
        uint128 dirtUsd;
        uint16 penaltyBps;
    }

    /// @param debtUsd Debt in auction, before the penalty.
    /// @param dirtUsd What this one adds to the dirt.
    event Triggered(
        address indexed account,
        address indexed collateralAsset,
        address indexed debtAsset,
        uint256 auctionId,
        uint256 debtUsd,
        uint256 dirtUsd
    );
    event LimitsSet(address indexed collateralAsset, uint256 holeUsd, uint256 penaltyBps);
    event HoleSet(uint256 holeUsd);
    event Cleared(address indexed collateralAsset, uint256 usd);

    error NotAdmin(address caller);
    error NotAuction(address caller);
    error InvalidConfig(string field);

    /// @notice No limits were set for this collateral.
    error NotAuctioned(address collateralAsset);

    /// @notice As much as may be is in auction already.
    error NoRoom(address collateralAsset);

    /// @notice What there is room for is dust.
    error DustyAuction(uint256 debtUsd);

    function admin() external view returns (address);

    function market() external view returns (IPooledMarket);

    function auction() external view returns (IDutchAuction);

    /// @notice Smallest debt to be auctioned or left, and base of the smallest purchase.
    function dustUsd() external view returns (uint256);

    /// @notice Over all collateral [Hole, Dirt].
    function holeUsd() external view returns (uint256);
    function dirtUsd() external view returns (uint256);

    function limits(address collateralAsset) external view returns (Limits memory);

    /// @notice What more may be put up for auction now, penalty included.
    function roomUsd(address collateralAsset) external view returns (uint256);

    /// @notice Admin only.
    function setHole(uint256 holeUsd) external;

    /// @notice Admin only.
    function setLimits(address collateralAsset, uint256 holeUsd, uint256 penaltyBps) external;

    /// @notice Puts collateral of an unhealthy account up for auction against its debt, as much as there is
    /// room for [bark]. Of several collaterals and debts, a pair goes with its share of the account only.
    /// @param keeper Paid the incentive, in claims of the debt asset.
    function trigger(address account, address collateralAsset, address debtAsset, address keeper)
        external
        returns (uint256 auctionId);

    /// @notice Less is in auction now [digs]. Auction only.
    function clear(address collateralAsset, uint256 usd) external;
}
