"""`python -m app.cli`: the reelrank command where no script is installed."""

from app.cli.main import main

main()
