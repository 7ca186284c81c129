"""Compiled programs of earlier starts, found without tracing.

JAX's own cache spares a second start the compilation, but knows a program by
its text, and tracing that in Python takes longer than all the rest. Here a
program is known by what its text follows from: code, versions, settings and
shapes. Where one of these is new but leads to a text that was met before, the
program is traced and not compiled.

What is kept is code for this machine, and reading it can run it: as with
JAX's cache, in whose folder it lies, the folder must be the user's own.
"""

import contextlib
import pickle

import jax
from jax.experimental import serialize_executable
from jax.experimental.compilation_cache import compilation_cache

from adseg_jax.training import provenance, shelf
from adseg_jax.training.method import is_known


class Program:
  """A jitted function whose arguments have the same shapes at every call.

  It is the function itself where JAX keeps no programs in a folder of this
  machine, with several hosts, for a method that `is_known` does not know, and
  where JAX is told to run operations one by one.
  """

  def __init__(self, function, method, devices, *, static=(), options=None):
    """Looks for nothing yet.

    Args:
      function: as jax.jit or jax.pmap gives it.
      method: all that it closes over.
      devices: those that it runs on.
      static: its last arguments, which are static; repr tells all of them.
      options: its compiler's.
    """
    self._function, self._static = function, static
    self._made_of = method, static, options
    self._devices = devices
    self._shelf = _shelf_of(method)
    self._name = self._lowered = self._ready = None

  def prepare(self, *arguments):
    """Finds the program; where there is none, traces it.

    Raises:
      UserError: what tracing raises.
    """
    self._name = self._shelf and self._name_of(arguments)
    if self._name and (text := self._shelf.get(self._name)):
      self._ready = self._kept(text.decode())
    if not self._ready:
      self._lowered = self._function.lower(*arguments, *self._static)

  def __call__(self, *arguments):
    """What the function returns for arguments that are not static."""
    if not self._ready:
      if self._shelf and not self._lowered:
        self.prepare(*arguments)
      self._ready = self._ready or self._made()
      self._lowered = None
    return self._ready(*arguments)

  def _made(self):
    """Compiled now, to be found by the next start."""
    if not self._name:
      return lambda *rest: self._function(*rest, *self._static)
    text = self._text()
    program = self._kept(text) or self._compiled(text)
    self._shelf.put(self._name, text.encode())
    return program

  def _compiled(self, text: str):
    """Compiled, and kept if it can be: not every device's programs can."""
    with _without_cache():
      program = self._lowered.compile()
    with contextlib.suppress(Exception):
      content = pickle.dumps(serialize_executable.serialize(program))
      self._shelf.put(text, content)
    return program

  def _text(self) -> str:
    """Its text and what the text does not say, hashed."""
    trees = self._lowered.in_tree, self._lowered.out_tree
    return provenance.digest(
        self._lowered.as_text(), repr((self._made_of, trees)),
        provenance.surroundings(self._devices),
    )

  def _kept(self, text: str):
    """The program of a text, or None."""
    content = self._shelf.get(text)
    try:
      return content and serialize_executable.deserialize_and_load(
          *pickle.loads(content), execution_devices=self._devices
      )
    except Exception:  # Whatever is wrong, the program can be made again.
      return None

  def _name_of(self, arguments) -> str:
    """What its text follows from, hashed; '' where that is not known."""
    leaves, tree = jax.tree.flatten(arguments)
    shapes = [
        (leaf.shape, leaf.dtype, getattr(leaf, 'sharding', None))
        for leaf in leaves
    ]
    made_of = repr((self._made_of, tree, shapes))
    if ' at 0x' in made_of:  # an object that repr does not tell
      return ''
    try:
      return provenance.digest(
          made_of, provenance.code(), provenance.surroundings(self._devices)
      )
    except OSError:
      return ''


def _shelf_of(method):
  """Where programs of a method are kept; None: nowhere."""
  one_by_one = 'jax_disable_jit', 'jax_debug_nans', 'jax_debug_infs'
  if any(map(jax.config.values.get, one_by_one)) or not is_known(method):
    return None
  return shelf.beside_jax()


@contextlib.contextmanager
def _without_cache():
  """A program that came from JAX's cache can't be kept a second time."""
  jax.config.update('jax_enable_compilation_cache', False)
  compilation_cache.reset_cache()
  try:
    yield
  finally:
    jax.config.update('jax_enable_compilation_cache', True)
    compilation_cache.reset_cache()
