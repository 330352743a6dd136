"""Write, name and trust results: stores, provenance, files, randomness, messages, devices."""
