"""Tests of alpha_pipeline.market."""
