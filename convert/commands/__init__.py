"""The commands that convert, check, measure and deploy networks.

`options` and `tables` import none of the other modules; those import both.
"""
