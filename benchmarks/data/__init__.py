"""Generated catalogues of any size, reproducible from a seed."""
