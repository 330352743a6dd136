"""The physics, written once: terms, boundaries, symbols, discretisation, amplification, stability."""
