"""A network as one web page: what it is, how it sounds, what it costs.

`content` gathers the facts, `sounds` compresses the demo mixtures, and `page` writes the file. The
page loads nothing: style, program and sounds are in it.
"""
