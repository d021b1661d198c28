"""Embeddings and neighbours learned from watches: matrix factorisation, item2vec, EASE, co-watching."""
