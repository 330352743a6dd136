"""The attention-based estimator of the transport coefficient (§2.3, "Physics estimator")."""

from torch import Tensor, nn


class AttentionEstimator(nn.Module):
    """Estimate |α| from the whole latent video.

    Each frame is pooled, convolved twice and averaged to one feature vector; self-attention runs over the
    frames, with a residual connection and layer normalisation; the mean over time goes through a
    two-layer MLP and a softplus.

    Parameters
    ----------
    pooled_size
        Side of the square to which each frame is adaptively average-pooled.
    channels
        Channels between the two convolutions.
    stride
        Stride of the two convolutions.
    features
        Feature vector length d; a multiple of ``heads``.
    heads
        Attention heads.
    """

    def __init__(self, pooled_size: int, channels: int, stride: int, features: int, heads: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(pooled_size)
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, channels, kernel_size=3, stride=stride, padding=1, padding_mode="circular"),
            nn.ReLU(),
            nn.Conv2d(channels, features, kernel_size=3, stride=stride, padding=1, padding_mode="circular"),
            nn.ReLU(),
        )
        self.attention = nn.MultiheadAttention(features, heads, batch_first=True)
        self.normalisation = nn.LayerNorm(features)
        self.head = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, 1), nn.Softplus())

    def compress(self, video: Tensor) -> Tensor:
        """Pool every frame: ``(video, time, y, x)`` to ``(video, time, pooled, pooled)``.

        The same at every step while the encoder is frozen, so a fit calls it once.
        """
        return self.pool(video)

    def forward(self, compressed: Tensor) -> Tensor:
        """|α| of every video, shape ``(video,)``, length²/time, from the result of :meth:`compress`."""
        videos, frames = compressed.shape[:2]
        features = self.convolutions(compressed.flatten(0, 1).unsqueeze(1)).mean((-2, -1))
        sequence = features.unflatten(0, (videos, frames))
        attended, _ = self.attention(sequence, sequence, sequence, need_weights=False)
        summary = self.normalisation(sequence + attended).mean(1)
        return self.head(summary).squeeze(-1)
