"""Streams: how they are cut into events, where the pieces of texts stand in these, and the masking of both."""
