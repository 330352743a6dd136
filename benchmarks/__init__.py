"""Ours beside its peers on the same videos: ``uv run --group benchmarks python -m benchmarks``."""
