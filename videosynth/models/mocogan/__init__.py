"""MoCoGAN: content and motion apart (Tulyakov et al. 2018)."""
