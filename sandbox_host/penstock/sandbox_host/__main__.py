"""`python -m penstock.sandbox_host`: a sandbox host for the tiers that PENSTOCK_TIERS names."""

from penstock.sandbox_host.program import main

raise SystemExit(main())
