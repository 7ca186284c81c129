"""Counts in sentences."""


def counted(count: int, noun: str, several: str = '') -> str:
  """Such as '1 run' and '2,000 runs'; `several` where an s is not enough."""
  return f'{count:,} {noun if count == 1 else several or noun + "s"}'
