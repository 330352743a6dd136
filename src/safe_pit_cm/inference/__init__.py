"""A diffusion coefficient with its error bar from a measured video."""
