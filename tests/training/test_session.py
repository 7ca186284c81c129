import numpy as np

from adseg_jax.training.session import _mean

NAN = float('nan')


def steps(values, dropped):
  return [
      {'loss': np.float32(value), 'dropped': np.float32(bad)}
      for value, bad in zip(values, dropped, strict=True)
  ]


def test_a_line_is_the_mean_over_the_steps_that_know():
  values, dropped = _mean(steps([NAN, 1, 3, 7], [0, 0, 0, 1]))
  assert values == {'loss': 2.0, 'dropped': 1}
  assert dropped == [False, False, False, True]


def test_what_no_step_knows_is_nan():
  for bad in (0, 1):
    values, _ = _mean(steps([NAN, NAN], [bad, bad]))
    assert np.isnan(values['loss']) and values['dropped'] == 2 * bad
