"""The end of a job that is to be started again."""


class Stopped(Exception):
    """What is done is saved; the same command goes on."""
