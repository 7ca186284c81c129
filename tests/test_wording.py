from adseg_jax.wording import counted


def test_one_has_no_s():
  assert [counted(count, 'run') for count in (0, 1, 2, 2000)] == [
      '0 runs', '1 run', '2 runs', '2,000 runs'
  ]
  assert counted(1, 'class', 'classes') == '1 class'
  assert counted(3, 'class', 'classes') == '3 classes'
