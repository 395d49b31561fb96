"""Layers that at least two models use."""
