"""Pure functions: tensors or feature lists in, a scalar out."""
