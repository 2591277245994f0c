"""Who is who beside the participants: the accounts behind a world, and its cash.

``admin`` configures, ``minter`` mints, ``publisher`` states the outside prices, ``keeper`` reports
to the feeds, ``builder`` charges fees, ``seeder`` pays for what is there at the start;
``guarantor`` makes vaults whole in runs without a link.
"""

from __future__ import annotations

from harness.accounts import account
from harness.scenario.assets import CASH

USD = CASH
USD_DECIMALS = 6

ADMIN = account("admin").address
MINTER = account("minter").address
PUBLISHER = account("publisher").address
BUILDER = account("builder").address
COLLECTOR = account("fee-collector").address
SEEDER = account("seeder").address
POOL_PROVIDER = account("pool-provider").address
KEEPER = account("keeper").address
GUARANTOR = account("guarantor").address
#: Where borrowers send what they borrowed: it leaves the scenario.
OUTSIDE = account("outside").address
