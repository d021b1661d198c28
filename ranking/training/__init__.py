"""Training: sampled and backtested requests, the training set, and LambdaRank itself."""
