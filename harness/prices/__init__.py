"""Prices: processes, historical series, and the integer paths a run uses."""

from harness.prices.paths import OutsideProcess, build_paths
from harness.prices.series import load_price_csv

__all__ = ["OutsideProcess", "build_paths", "load_price_csv"]
