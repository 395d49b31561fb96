"""Training around the models: averaged weights, run folders and resume, samples, progress. Knows no concrete model."""
