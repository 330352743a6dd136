"""SAFE-PIT-CM: recover a transport coefficient from a video with a frozen PDE solver.

Fields have the axes ``(time, y, x)``. One signed transport coefficient α covers both processes of the
paper (§2.1): ``∂φ/∂t = −α ∇²φ`` with α = −D < 0 for diffusion and α = +M > 0 for mobility.

The package imports nothing heavy by itself: a stage that needs no torch never pays for it.
"""
