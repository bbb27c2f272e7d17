"""One notebook's life, without Jupyter and without lupa."""
