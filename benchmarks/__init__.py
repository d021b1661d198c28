"""What reelrank costs and how good it is, measured again by anyone; never imported by the product."""
