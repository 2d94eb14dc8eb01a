"""The papers' networks: published counts, and a small reproduction of the comparison."""
