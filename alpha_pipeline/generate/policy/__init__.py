"""Policy gradients: a network that writes expressions token by token, and the learners that train it."""
