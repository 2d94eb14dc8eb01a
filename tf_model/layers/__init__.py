"""Keras layers, one per file.

Layers of the streaming family take a whole sequence [shape=(batch, frames, groups, width)] or one
frame [shape=(groups, width)].
"""
