"""The 2015 paper's 101 formulas: read, run, and compared with a second evaluation in pandas."""
