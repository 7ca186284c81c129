"""What the pages and docstrings tell a person to type, open or read exists."""

import ast
import contextlib
import dataclasses
import functools
import importlib
import importlib.util
import io
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from pages import BLOCK, OPTION, blocks, headings, links, shown, spans, typed
from test_rooms import FLOOR

from adseg_jax.commands import COMMANDS, cli, jobs
from adseg_jax.config import Experiment
from adseg_jax.errors import UserError
from adseg_jax.settings import flatten

ROOT = Path(__file__).parents[1]
EXPERIMENTS = ROOT / 'experiments'
PAGES = [
    ROOT / 'README.md', EXPERIMENTS / 'README.md',
    EXPERIMENTS / 'verdict/PROTOCOL.md',
    *sorted((ROOT / 'docs').glob('*.md')),
]
SOURCES = [
    *sorted(EXPERIMENTS.glob('*.py')), EXPERIMENTS / 'verdict/page.py',
    *sorted((ROOT / 'adseg_jax/commands').glob('*.py')),
]
SETTINGS = flatten(dataclasses.asdict(Experiment()))


def name(path):
  return str(path.relative_to(ROOT))


@pytest.fixture(autouse=True)
def _at_root(monkeypatch):
  monkeypatch.chdir(ROOT)
  monkeypatch.syspath_prepend(str(EXPERIMENTS))


def check(command: str):
  """Raises UserError, or fails, where the program would not understand it."""
  command = re.split(' [|>] ', command)[0]
  words = shlex.split(command, comments=True)
  while '=' in words[0]:  # variables of the environment
    del words[0]
  program = Path(words[0]).name
  assert program in PROGRAMS, f'{command}: not known'
  PROGRAMS[program]([word for word in words[1:] if word != '--help'])


def check_adseg(words):
  command = next(
      (one for one in COMMANDS if words[:len(one.split())] == one.split()), None
  )
  assert command, f'adseg {" ".join(words)}: no such command'
  kind = arguments_of(command)
  found = cli.parse(kind, kind(), '', words[len(command.split()):])
  if command == 'run' and found.script != Path():
    jobs.plan(
        found.script, found.seeds, found.arms, found.workdir, found.settings,
        found.folds,
    )


def check_script(words):
  path, *options = words
  assert Path(path).is_file(), f'{path}: no such script'
  default = default_of(path)
  if default is not None:
    cli.parse(type(default), default, '', options)
    return
  # It reads its options itself: they stand there as text.
  texts = {
      str(node.value) for node in ast.walk(ast.parse(Path(path).read_text()))
      if isinstance(node, ast.Constant)
  }
  assert {word for word in options if OPTION.match(word)} <= texts, words


def check_pip(words):
  project = tomllib.loads(Path('pyproject.toml').read_text())['project']
  for word in words:
    if found := re.fullmatch(r'\.\[([\w,]+)\]', word):
      assert set(found[1].split(',')) <= {*project['optional-dependencies']}
    if word.endswith('.txt'):
      assert Path(word).is_file(), word


def check_make(words):
  targets = re.findall(r'^([\w-]+):', Path('Makefile').read_text(), re.M)
  assert {word for word in words if '=' not in word} <= set(targets), words


PROGRAMS = {
    'adseg': check_adseg, 'python': check_script, 'pip': check_pip,
    'make': check_make, 'run_tpu.sh': lambda words: check_script(words[2:]),
    # Others' programs, of which nothing is known here.
    'gcloud': len, 'tensorboard': len, 'parallel': len, 'sbatch': len,
}


@functools.cache
def arguments_of(command: str):
  module = importlib.import_module(f'adseg_jax.commands.{COMMANDS[command]}')
  return module.Arguments


@functools.cache
def default_of(script: str):
  """What a script's options override; None where it does not say it."""
  alias = f'read_{Path(script).stem}'
  spec = importlib.util.spec_from_file_location(alias, script)
  module = sys.modules[alias] = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  if hasattr(module, 'EXPERIMENT'):
    return cli.Arguments(module.EXPERIMENT, 'runs/read')
  return module.Arguments() if hasattr(module, 'Arguments') else None


@functools.cache
def known_options() -> set[str]:
  """Of all commands and scripts, as their --help lists them."""
  defaults = [arguments_of(command)() for command in COMMANDS]
  for script in ('earth', 'benchmark', 'pipeline_speed'):
    defaults.append(default_of(f'experiments/{script}.py'))
  text = io.StringIO()
  for default in defaults:
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
      cli.parse(type(default), default, ' ', ['--help'])
  heads = re.findall(r'^[│ ]{0,4}(?:-\w, )?(--.*)', text.getvalue(), re.M)
  return set(OPTION.findall(' '.join(heads)))


def mentioned(text: str) -> list[str]:
  """Commands of more than one word within a page's sentences."""
  return [
      code for code in spans(text)
      if ' ' in code and Path(code.split()[0]).name in PROGRAMS
  ]


def unknown_names(text: str) -> set[str]:
  """Options, settings and paths in a page's sentences that do not exist."""
  codes = [code for code in spans(text) if code not in mentioned(text)]
  options = set(OPTION.findall(' '.join(codes))) - known_options()
  groups = {setting.split('.')[0] for setting in SETTINGS if '.' in setting}
  settings = {
      code for code in codes if re.fullmatch(r'[a-z_]+(\.[a-z_]+)+', code)
      and code.split('.')[0] in groups
      and not any(f'{setting}.'.startswith(f'{code}.') for setting in SETTINGS)
  }
  paths = {
      code for code in codes
      if re.fullmatch(r'(adseg_jax|docs|experiments|tests)/[\w./-]*', code)
      and not (ROOT / code).exists()
  }
  return options | settings | paths


def broken_links(page: Path, text: str) -> set[str]:
  """Relative links whose file, or whose heading, does not exist."""
  found = set()
  for link in links(text):
    place, _, heading = link.partition('#')
    path = page.parent / place if place else page
    if not re.match(r'https?:', link) and not (
        path.exists() and (not heading or heading in headings(path.read_text()))
    ):
      found.add(link)
  return found


def check_python(content: str):
  """Imports it from this package, and looks for what is used of that."""
  tree, found = ast.parse(content), {}
  for node in ast.walk(tree):
    if isinstance(node, ast.ImportFrom) and node.module.startswith('adseg_jax'):
      exec(compile(ast.Module([node], []), 'page', 'exec'), found)
  for node in ast.walk(tree):
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
      thing = found.get(node.value.id)
      assert thing is None or hasattr(thing, node.attr), ast.unparse(node)


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_every_command_of_a_page_is_understood(page):
  text = page.read_text()
  assert {kind for kind, _ in BLOCK.findall(text)} <= {'sh', 'text', 'python'}
  for command in typed(text) + mentioned(text):
    check(command)


@pytest.mark.parametrize('source', SOURCES, ids=name)
def test_every_command_of_a_docstring_is_understood(source):
  for command in shown(source.read_text()):
    check(command)


def test_every_experiment_says_how_it_is_run():
  assert not [
      path.name for path in EXPERIMENTS.glob('*.py')
      if f'python experiments/{path.name}' not in path.read_text()
  ]


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_what_a_page_names_exists(page):
  text = page.read_text()
  assert not unknown_names(text)
  assert not broken_links(page, text)
  for content in blocks(text, 'python'):
    check_python(content)


def test_the_readme_is_short_and_leads_everywhere():
  text = (ROOT / 'README.md').read_text()
  assert len(text.splitlines()) <= 150
  led = {link.partition('#')[0] for link in links(text)}
  assert {name(page) for page in PAGES[1:]} <= led


def test_the_map_has_every_room():
  text = (ROOT / 'docs/house.md').read_text()
  assert not [
      room for room in FLOOR
      if f'`{room}/`' not in text and f'`{room}.py`' not in text
  ]


def test_no_page_counts_tests():
  for page in PAGES:
    assert not re.search(r'\d+ (tests|passed)\b', page.read_text()), page


@pytest.mark.parametrize('command', [
    'adseg evaluate runs/a --scale 1.25',
    'adseg score runs/a',
    'adseg run experiments/earth.py --set adversary.wieght 0.1',
    'adseg run experiments/mars.py',
    'python experiments/earth.py --adversary.discriminator pacth',
    'X=1 .venv/bin/python experiments/benchmark.py --round 3',
    'python experiments/mars.py',
    'experiments/run_tpu.sh mine zone experiments/earth.py --data.bach 64',
    "pip install --editable '.[gpu]'",
    'pip install --constraint pins.txt',
    'make quickstrat',
    'adesg report runs/a',
])
def test_a_wrong_command_is_seen(command):
  with pytest.raises((UserError, AssertionError)):
    check(command)


def test_a_wrong_name_is_seen():
  wrong = '`--amned`, `adversary.wieght`, `adseg_jax/losses.py`'
  assert len(unknown_names(wrong)) == 3
  right = '`--amend`, `adversary`, `data.crop`, `adseg_jax/method/losses.py`'
  assert not unknown_names(right)


def test_a_broken_link_is_seen():
  page = ROOT / 'README.md'
  assert len(broken_links(page, '[a](docs/no.md) ![b](#nothing)')) == 2
  assert not broken_links(page, '[a](experiments/README.md#earth)')


def test_python_that_is_out_of_date_is_seen():
  with pytest.raises(ImportError):
    check_python('from adseg_jax import losses')
  with pytest.raises(AssertionError, match=r'losses\.mse'):
    check_python('from adseg_jax.method import losses\nlosses.mse(1)')


def test_commands_are_found_wherever_they_stand():
  page = (
      '```sh\nadseg report a \\\n  --output b\n\n# why\nmake\n```\n'
      'The `adseg\nrun` of `adseg`.'
  )
  assert typed(page) == ['adseg report a --output b', 'make']
  assert mentioned(page) == ['adseg run']
  assert shown('"""A.\n\n  adseg run a\n  --seeds 1\n"""') == [
      'adseg run a --seeds 1'
  ]
