"""`genetic`: typed genetic programming."""
