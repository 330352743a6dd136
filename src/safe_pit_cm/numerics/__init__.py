"""Numerical tools of no physics: arrays of either library, one-dimensional search, measures of recovery."""
