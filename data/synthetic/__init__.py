"""Labeled scenes made from random numbers, with their true sources.

`scenes` draws `events` over `backgrounds`; all are built of `signals`.
"""
