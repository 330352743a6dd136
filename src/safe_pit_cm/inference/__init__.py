"""Measured video: estimate a diffusion coefficient with its standard error, and check the model."""
