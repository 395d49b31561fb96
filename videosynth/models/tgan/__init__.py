"""TGAN: a temporal generator makes a path of latents, an image generator paints it (Saito et al. 2017)."""
