"""Benchmarks of cost and ranking quality that anyone can run again. The product never imports them."""
