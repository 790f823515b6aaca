"""Crosses every kind of secret with every surrounding, all made at run time.

chance      random values
kinds       what is hidden: a new kind is one line
contexts    where it stands: a new surrounding is one line
negatives   what must stay
matrix      the product, and what of a secret survived
"""
