"""The one exception that means: what you gave us is wrong, and this is what to do."""


class InputError(Exception):
    """Bad input or configuration. The message says what is wrong, where, and what to do.

    Scripts print it without a traceback and exit with a non-zero status, so a message is one
    or a few plain sentences for the person who runs the study.
    """
