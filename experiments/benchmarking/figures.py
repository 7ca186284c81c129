"""From seconds to what a person compares: pure functions, and a table."""

import numpy as np

from adseg_jax.reporting.numbers import NONE


def spread(values) -> dict:
  """Median and quartiles, linearly interpolated."""
  low, median, high = np.percentile(list(values), (25, 50, 75))
  return {'median': median, 'low': low, 'high': high}


def paces(variant: dict, batch: int) -> list[float]:
  """Images per second, one for each turn."""
  return [batch / turn['seconds'] for turn in variant['turns']]


def limit(variants: dict) -> dict:
  """The fastest large operation: FLOP/s, kind, and whose code it was.

  The median over rounds of each variant's rate, the largest of all.
  """
  found = [
      (float(np.median([one[kind] for one in variant['limits']])), kind, name)
      for name, variant in variants.items() if variant['limits']
      for kind in ('convolution', 'matrix')
  ]
  best, kind, name = max(found)
  return {
      'flops_per_second': best, 'kind': kind, 'variant': name,
      'convolution': max(one for one, kind, _ in found if kind != 'matrix'),
      'matrix': max(one for one, kind, _ in found if kind == 'matrix'),
  }


def best_torch(variants: dict) -> str:
  """PyTorch's variant with the least median seconds; '' without any."""
  def seconds(name):
    return np.median([turn['seconds'] for turn in variants[name]['turns']])

  return min((name for name in variants if name != 'jax'), key=seconds,
             default='')


def summarize(measured: dict, batch: int) -> dict:
  """Figures of a case.

  Args:
    measured: what `processes.measure` returns.
    batch: images a step.

  Returns:
    'limit', 'best' (of PyTorch's variants), 'flops' and 'variants': name ->
    'pace' (images per second) and 'ratio' (to the best, round by round) as
    spreads, 'share' of the limit, bytes of 'memory', and seconds: 'compile',
    'start' and its first 'step', 'second_start' and 'second_step', medians of
    starts that find what the first one compiled. The FLOPs are those of the
    step as it is written, PyTorch's count, for all variants alike: a program
    that finds a way to fewer, such as Winograd's, is not held to be worse for
    it. Without PyTorch they are those of XLA's program.
  """
  variants = measured['variants']
  best, most = best_torch(variants), limit(variants)
  rivals = paces(variants[best], batch) if best else None
  flops = measured['flops'] or measured['xla']['flops']
  result = {}
  for name, variant in variants.items():
    pace = paces(variant, batch)
    seconds = float(np.median([turn['seconds'] for turn in variant['turns']]))
    result[name] = {
        'pace': spread(pace),
        'ratio': rivals and spread(np.divide(pace, rivals)),
        'share': flops / seconds / most['flops_per_second'],
        # The first step traces and compiles, too.
        'compile': max(0.0, variant['start']['first_step'] - seconds),
        **_starts(variant),
        'memory': variant['memory'],
        'idle': sum(turn['idle'] for turn in variant['turns'][1:]),
    }
  return {'limit': most, 'best': best, 'flops': flops, 'variants': result}


def _starts(variant) -> dict:
  """Seconds of the first start and, in the median, of second ones."""
  first, seconds = variant['start'], variant['second_starts']

  def median(name):
    return float(np.median([one[name] for one in seconds]))

  return {
      'start': first['since_process_start'], 'step': first['first_step'],
      'second_start': median('since_process_start'),
      'second_step': median('first_step'),
  }


HEAD = (
    'case', 'variant', 'images/s (quartiles)', 'ratio (quartiles)',
    'share of limit', 'peak memory', 'compile, s', 'start to first step, s',
    'second start, s (of the first)', 'its first step, s (of the first)',
)


def rows(cases: dict) -> list[list[str]]:
  """Cells under HEAD, a row for each variant of each case.

  Args:
    cases: name -> what `summarize` returns.
  """
  return [
      [case, *_row(name, one)] for case, found in cases.items()
      for name, one in found['variants'].items()
  ]


def markdown(rows: list[list[str]]) -> str:
  """The table, as README files have it."""
  return '\n'.join(
      f'| {" | ".join(row)} |' for row in (HEAD, ['---'] * len(HEAD), *rows)
  )


def _row(name, one):
  memory = one['memory']['device'] or one['memory']['resident']
  return [
      'JAX' if name == 'jax' else f'PyTorch {name}',
      _written(one['pace'], 3), _written(one['ratio'], 2),
      f'{one["share"]:.0%}', f'{memory / 2**30:.2f} GiB',
      f'{one["compile"]:.1f}', f'{one["start"]:.1f}',
      f'{one["second_start"]:.1f} ({one["second_start"] / one["start"]:.2f})',
      f'{one["second_step"]:.1f} ({one["second_step"] / one["step"]:.2f})',
  ]


def _written(found, digits) -> str:
  """Median (low to high)."""
  if not found:
    return NONE
  texts = [
      f'{found[key]:#.{digits}g}'.rstrip('.')
      for key in ('median', 'low', 'high')
  ]
  return f'{texts[0]} ({texts[1]} to {texts[2]})'


def words(case: str, found: dict, xla: dict) -> str:
  """A line on the step's FLOPs and on the limit that it is held against."""
  most = found['limit']
  kind = {'matrix': 'matrix product'}.get(most['kind'], most['kind'])
  return (
      f'{case}: {found["flops"] / 1e9:.1f} GFLOP a step, '
      f'{xla["flops"] / 1e9:.1f} in XLA\'s program; limit '
      f'{most["flops_per_second"] / 1e9:.0f} GFLOP/s '
      f'({kind}, {most["variant"]}; best convolution '
      f'{most["convolution"] / 1e9:.0f}, best matrix product '
      f'{most["matrix"] / 1e9:.0f}); XLA plans '
      f'{xla["temporary"] / 2**30:.2f} GiB beside '
      f'{xla["arguments"] / 2**30:.2f} GiB of state and batch.'
  )
