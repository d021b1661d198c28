"""`python -m reelrank.app.cli`: the reelrank command where no script is installed."""

from reelrank.app.cli.main import main

main()
