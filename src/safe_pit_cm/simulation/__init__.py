"""Simulated videos: initial conditions, Euler integration, time reversal, splits, the list of videos."""
