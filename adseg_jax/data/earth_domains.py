"""Earth in two domains: labels of the Americas, images of the other continents.

Climates look different elsewhere: other soils, crops and light. Tiles west of
35 degrees west, Greenland's for the greater part among them, have labels; of
the tiles east of that, those that `earth` trains on are images without, and
those that it validates and tests on validate and test.
"""

import dataclasses
import pathlib

from adseg_jax import config
from adseg_jax.data import earth

# The first column of tiles of the other domain: at 34.9 degrees west.
EAST = 17


class EarthDomains(earth.Earth):
  """Tiles of the Earth: 60 of the Americas, 150, 67 and 29 of elsewhere."""

  code_path = pathlib.Path(__file__)

  def _split_generators(self, dl_manager):
    # Split -> whether it lies in the east, and Earth's split.
    parts = {
        'train': (False, 'train'), 'elsewhere': (True, 'train'),
        'validation': (True, 'validation'), 'test': (True, 'test'),
    }
    world = earth.world()
    return {
        split: self._generate_part(*world, *part)
        for split, part in parts.items()
    }

  def _generate_part(self, image, label, east: bool, split: str):
    for name, example in self._generate_examples(image, label, split):
      if (int(name[-2:]) >= EAST) == east:
        yield name, example


def builder(data: config.Data) -> EarthDomains:
  """The TFDS builder; `data.prepared` is where it keeps the tiles."""
  return EarthDomains(data_dir=data.prepared or None)


DATASET = dataclasses.replace(
    earth.DATASET, name='earth_domains', builder=builder, overview=None
)
