"""What is asked beyond one fit: ablations, replicates, variants, baselines, noise, crops, lost choices."""
