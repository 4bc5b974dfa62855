"""Prices in, a Panel out: sources, cleaning rules, point-in-time universe, and the memory-mapped Panel itself."""
