"""Imports run one way, from room to room."""

import ast
from pathlib import Path

import pytest

import adseg_jax

HOUSE = Path(adseg_jax.__file__).parent
# A module imports from its own line and those above.
ROOMS = [
    {'errors', 'files', 'config', 'settings', 'environment', 'wording',
     'prefetch'},
    {'networks', 'data'},
    {'method'},
    {'evaluation'},
    {'training'},
    {'inference', 'reporting'},
    {'commands'},
]
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}


def imported(source: str):
  """Rooms of the package that a module's source imports from."""
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.ImportFrom) and node.module:
      names = [node.module, *(f'{node.module}.{x.name}' for x in node.names)]
    elif isinstance(node, ast.Import):
      names = [x.name for x in node.names]
    else:
      continue
    for name in names:
      package, *rest = name.split('.')
      if package == 'adseg_jax' and rest:
        yield rest[0]


def wrong_ways(room: str, source: str) -> set[str]:
  """Rooms above, or beside, that a module of this room imports from."""
  allowed = {x for x in FLOOR if FLOOR[x] < FLOOR[room]} | {room}
  return set(imported(source)) - (allowed | ROOMS[0])


@pytest.mark.parametrize('room', sorted(FLOOR))
def test_a_room_knows_nothing_of_later_ones(room):
  files = [*HOUSE.glob(f'{room}.py'), *(HOUSE / room).rglob('*.py')]
  assert files
  found = {
      str(path.relative_to(HOUSE)): wrong
      for path in files if (wrong := wrong_ways(room, path.read_text()))
  }
  assert not found


def test_every_room_has_its_place():
  here = {path.stem for path in HOUSE.iterdir() if path.suffix == '.py'}
  here |= {path.parent.name for path in HOUSE.glob('*/__init__.py')}
  assert here - {'__init__'} == set(FLOOR)


def test_a_wrong_way_is_seen():
  assert wrong_ways('method', 'from adseg_jax.training import loop')
  assert wrong_ways('networks', 'from adseg_jax import data')
  assert wrong_ways('config', 'import adseg_jax.networks.layers')
  assert not wrong_ways('training', 'from adseg_jax.method.step import losses')
