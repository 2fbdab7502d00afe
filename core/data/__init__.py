"""What ships beside the code: a vocabulary and the model table."""
