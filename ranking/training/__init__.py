"""Training: backtested requests, the training set, and LambdaRank itself."""
