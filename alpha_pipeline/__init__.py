"""alpha_pipeline: invents formulaic stock alphas, tests them honestly, and hands over those worth submitting."""

__version__ = "0.1.0"
