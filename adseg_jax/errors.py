"""The two exceptions a user may see."""


class UserError(Exception):
  """A mistake that the user can mend.

  Its message is one line: what is wrong, where, and what to do. The command
  line prints it without a traceback and exits with status 1.
  """


class Stopped(Exception):
  """A run that was asked to stop, and has saved its state: status 0.

  Its message is one line that says how to continue.
  """
