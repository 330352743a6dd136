"""Fluorescence recovery after photobleaching: the spot, its recovery curve and the classical estimates of D."""
