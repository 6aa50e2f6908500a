"""Labeled scenes made from random numbers, with their true sources.

`scenes` draws `sounds`, events over a background, built of `signals`.
"""
