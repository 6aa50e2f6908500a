"""Labeled scenes made from random numbers, with their true sources.

`scenes` draws `events` (`pitched_events`, `noisy_events`) over `backgrounds`;
all are built of `signals`.
"""
