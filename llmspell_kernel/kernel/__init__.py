"""Jupyter, and nothing but Jupyter: requests, replies, iopub, history, magics."""
