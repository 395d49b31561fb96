"""The one kind of error that is the user's to mend."""


class UserError(Exception):
    """A mistake that the user can mend. The command line prints it in one line and exits with code 2.

    The message names the thing that is wrong and says what to do about it.
    """
