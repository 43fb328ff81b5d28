"""Recipes of training compared at equal minutes: `python -m benchmarks.training.NAME`; started by hand."""
