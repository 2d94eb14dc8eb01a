"""Training: recipe, losses, optimizer, checkpoints."""
