"""Solve evolution equations of any kind on a grid, with derivatives, and fit them to video by maximum likelihood."""
