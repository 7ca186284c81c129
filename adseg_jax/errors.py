"""The one exception a user may see."""


class UserError(Exception):
  """A mistake that the user can mend.

  Its message is one line: what is wrong, where, and what to do. The command
  line prints it without a traceback and exits with status 1.
  """
