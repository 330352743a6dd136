"""An estimator of |α| from the decay of the modes of a video, for noisy videos (beyond the paper).

Under diffusion the amplitude of every mode of the symbol λ decays by the same factor q = (1 − |α| Δτ λ)^{S ℓ} over ℓ
frame intervals, whatever the initial field. Averages over ℓ frames decay by the same factor, so that with the averages
Y₁ and Y₂ of two successive blocks and an average Z of other frames,

    q = Σ Re(Ȳ₂ Z) / Σ Re(Ȳ₁ Z)

over the modes of λ. White noise in different frames is independent: it adds nothing to the mean of either sum. Each
symbol and lag ℓ thus gives an estimate of |α|, which is exact without noise. The result is their weighted mean; the
weights are a softmax, whose logits a small network computes from the signal-to-noise ratios, λ and ℓ.
"""

import math

import torch
from torch import Tensor, nn

from safe_pit_cm.safe.operator import SafeOperator

#: What the network reads of an estimate; the estimate itself stands before these.
FEATURES = ("earlier", "later", "difference", "log_symbol", "log_lag", "log_modes", "log_factor")
# Sums that exceed the noise by less than this many standard deviations give no estimate.
_SIGNIFICANT = 3.0
# Largest |α| of a single estimate, as a multiple of the von Neumann limit of the sub-steps.
_HIGHEST = 0.2
_EPSILON = 1e-12


def lags(frames: int) -> list[int]:
    """Lags ℓ, in frame intervals: the powers of 2 up to half of the video, and the longest even one."""
    longest = frames // 4 * 2
    powers = [2**power for power in range(1, int(math.log2(max(longest, 2))) + 1)]
    return sorted({*powers, longest}) if longest >= 2 else []


class DecayEstimator(nn.Module):
    """Weighted mean of estimates of |α| from the decay of modes, over all symbols and lags.

    The last layer of the network starts at zero. Each weight is then the inverse variance of its estimate, as far as
    noise is small; the network learns what to do where it is not.

    Parameters
    ----------
    operator
        The SAFE operator of the videos, which gives λ, Δτ and S.
    hidden
        Units of each of the two hidden layers of the network.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, operator: SafeOperator, hidden: int) -> None:
        super().__init__()
        self.operator = operator
        last = nn.Linear(hidden, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(
            nn.Linear(len(FEATURES), hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), last
        )
        self.register_buffer("centre", torch.zeros(len(FEATURES)))
        self.register_buffer("spread", torch.ones(len(FEATURES)))

    def scale_to(self, compressed: Tensor) -> None:
        """Take mean and standard deviation of the features from videos ``(video, estimate, 1 + feature)``."""
        features = compressed[..., 1:].flatten(0, -2)
        self.centre.copy_(features.mean(0))
        self.spread.copy_(features.std(0).clamp_min(_EPSILON))

    @torch.no_grad()
    def compress(self, video: Tensor) -> Tensor:
        """Estimates of |α| and their features, which depend on no weight of the network.

        Parameters
        ----------
        video
            Periodic video ``(time, y, x)`` of at least four frames. One of mobility is read backwards, which is known
            from the contrast of its ends.

        Returns
        -------
        Tensor
            Shape ``(estimate, 1 + feature)``, float32: the estimate, 0 where there is none, and :data:`FEATURES`.
        """
        modes = _Modes(video, self.operator.symbol(video))
        step, substeps = self.operator.interval / self.operator.substeps, self.operator.substeps
        highest = _HIGHEST * 2.0 / (step * float(modes.symbol.max()))
        found = []
        for lag in lags(len(video)):
            earlier, later = modes.products(lag)
            # Of the blocks' averages, and relative to the noise in them.
            unit = modes.noise_power / (lag // 2)
            first, second = (total / (unit * modes.count.sqrt()) for total in (earlier, later))
            usable = (earlier > 0) & (second > _SIGNIFICANT)
            factor = torch.where(usable, later / earlier.clamp_min(_EPSILON**2), 1.0).clamp(_EPSILON**2, 1.0)
            magnitude = -torch.expm1(factor.log() / (substeps * lag)) / (step * modes.symbol)
            features = (
                first.asinh(),
                second.asinh(),
                (first - second).asinh(),
                modes.symbol.log(),
                torch.full_like(first, math.log(lag)),
                modes.count.log(),
                factor.clamp_min(1e-6).log(),
            )
            found.append(torch.stack((torch.where(usable, magnitude, 0.0).clamp(0.0, highest), *features), dim=-1))
        return torch.cat(found).float()

    def forward(self, compressed: Tensor) -> Tensor:
        """|α| of every video, shape ``(video,)``, length²/time, from results of :meth:`compress`, stacked."""
        magnitude, features = compressed[..., 0], compressed[..., 1:]
        earlier, later, _, symbol, lag, modes, _ = features.unbind(-1)
        # Per mode, of the logarithm: sinh x ≈ eˣ/2.
        earlier, later = (value - 0.5 * modes - math.log(2.0) for value in (earlier, later))
        inverse_variance = (
            2 * (symbol + lag) + modes + 2 * later - earlier - nn.functional.softplus(2 * (later - earlier))
        )
        learned = self.network((features - self.centre) / self.spread).squeeze(-1)
        logits = (inverse_variance + learned).masked_fill(magnitude <= 0, -torch.inf)
        # A video without any estimate has equal weights, and the result 0.
        logits = torch.where(torch.isneginf(logits).all(-1, keepdim=True), 0.0, logits)
        return (logits.softmax(-1) * magnitude).sum(-1)


class _Modes:
    """Fourier amplitudes of a video that smooths in time, grouped by their symbol, without the mean of a frame."""

    def __init__(self, video: Tensor, symbol: Tensor) -> None:
        columns = video.shape[-1]
        spectrum = torch.fft.rfft2(video.double(), norm="ortho").flatten(-2)[:, 1:]
        # rfft2 stores half of the plane: all columns but the self-conjugate ones count twice.
        weight = torch.full_like(symbol, 2.0)
        weight[:, 0] = 1.0
        if columns % 2 == 0:
            weight[:, -1] = 1.0
        flat, weight = symbol.flatten()[1:], weight.flatten()[1:]
        self.amplitudes = torch.view_as_real(spectrum) * weight.sqrt()[:, None]
        contrast = self.amplitudes.square().sum((-2, -1))
        if contrast[-1] > contrast[0]:
            self.amplitudes = self.amplitudes.flip(0)
        # Symbols of different modes that should be equal differ by rounding.
        rounded = (flat * 1e9 / flat.max()).round()
        distinct, self._group = rounded.unique(return_inverse=True)
        self.symbol = distinct * flat.max() / 1e9
        self.count = torch.zeros_like(self.symbol).index_add(0, self._group, weight)
        self.noise_power = self._noise_power(flat, weight)

    def _noise_power(self, symbol: Tensor, weight: Tensor) -> Tensor:
        """σ² from second differences in time, where nothing else changes: of short waves, late in the video."""
        short = symbol > symbol.max() / 3
        late = self.amplitudes[len(self.amplitudes) // 2 :, short]
        change = late[2:] - 2 * late[1:-1] + late[:-2] if len(late) > 2 else late.diff(dim=0)
        scale = (6.0 if len(late) > 2 else 2.0) * len(change) * weight[short].sum()
        # The floor is the rounding error of float32.
        return change.square().sum() / scale + 1e-15

    def products(self, lag: int) -> tuple[Tensor, Tensor]:
        """Σ Re(Ȳ₁ Z) and Σ Re(Ȳ₂ Z) by symbol: even frames against odd ones of two blocks, and the reverse."""
        half = lag // 2
        even, odd = self.amplitudes[0 : 2 * lag : 2], self.amplitudes[1 : 2 * lag : 2]
        # The odd frames are the even ones times a constant factor, so both ratios are q.
        (first_even, second_even), (first_odd, second_odd) = (
            (block[:half].mean(0), block[half:].mean(0)) for block in (even, odd)
        )
        all_even, all_odd = first_even + second_even, first_odd + second_odd
        return (
            self._sum(first_even * all_odd + first_odd * all_even),
            self._sum(second_even * all_odd + second_odd * all_even),
        )

    def _sum(self, products: Tensor) -> Tensor:
        return torch.zeros_like(self.symbol).index_add(0, self._group, products.sum(-1))
