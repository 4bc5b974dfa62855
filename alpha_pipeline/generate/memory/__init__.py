"""What a run remembers of its proposals: the best distinct ones, their profits, what was seen."""
