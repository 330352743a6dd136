"""Studies beyond a single fit: ablations, replicates, variants, baselines, noise, crops, alternative values."""
