"""Training on several machines: the task of one partition, and training without early stopping."""
