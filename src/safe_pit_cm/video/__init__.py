"""Measured video: read it from the formats of the laboratory, check it, and simulate one whose answer is known."""
