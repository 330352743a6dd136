"""Numerical tools without physics: arrays of NumPy or torch, one-dimensional search, measures of recovery."""
