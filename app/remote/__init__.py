"""Models that another machine scores with: the ranking role, asked by the candidates role."""
