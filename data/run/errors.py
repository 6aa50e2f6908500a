"""How a job ends early: a mistake of the user's, or a stop."""


class UserError(ValueError):
    """Bad input: the message names the file, field or flag, and the remedy."""


class Stopped(Exception):
    """What is done is saved; the same command goes on."""
