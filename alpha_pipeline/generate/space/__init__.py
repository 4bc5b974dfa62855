"""The search space: a typed grammar derived from the registered operators, changes to trees, and what is a waste."""
