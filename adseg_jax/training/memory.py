"""The most memory that a run took."""

import contextlib
import re
import resource
import sys
from pathlib import Path

import jax

_STATUS = Path('/proc/self/status')  # Linux
_GIB = 2**30


def peaks() -> dict[str, float]:
  """The most so far, in GiB, since this process began.

  Returns:
    'peak_host_gib', of this process; where the devices count their memory, as
    GPUs and TPUs do, 'peak_device_gib', of the local one that took most.
  """
  found = {'peak_host_gib': _host() / _GIB}
  counts = [device.memory_stats() for device in jax.local_devices()]
  known = [count['peak_bytes_in_use'] for count in counts if count]
  return found | ({'peak_device_gib': max(known) / _GIB} if known else {})


def _host() -> int:
  """Bytes."""
  with contextlib.suppress(OSError):
    # What getrusage says includes the process that started this one.
    if found := re.search(r'VmHWM:\s*(\d+)', _STATUS.read_text()):
      return int(found[1]) * 2**10
  unit = 1 if sys.platform == 'darwin' else 2**10
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
