"""`python -m penstock.actors`: an actor host."""

from penstock.actors.program import main

raise SystemExit(main())
