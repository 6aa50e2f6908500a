"""A mistake of the user's, told in one line."""


class UserError(ValueError):
    """Bad input: the message names the file, field or flag, and the remedy."""
