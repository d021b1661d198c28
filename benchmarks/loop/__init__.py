"""What the loop decides, measured: bad releases, false refusals, canaries, drift."""
