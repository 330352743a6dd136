"""The paper's method: SAFE operator, loss, estimator, autoencoder, training, test-time steps, zero-shot."""
