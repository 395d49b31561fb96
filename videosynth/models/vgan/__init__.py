"""VGAN: a moving foreground over a still background (Vondrick et al. 2016)."""
