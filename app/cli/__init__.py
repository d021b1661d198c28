"""The reelrank command line."""
