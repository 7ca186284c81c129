"""What pages and docstrings hold: commands, names, links."""

import ast
import inspect
import re

# What is blocked out in a page: commands, what they print, Python.
BLOCK = re.compile(r'^```(.*)\n((?:.*\n)*?)```$', re.M)
OPTION = re.compile(r'(?<![\w=-])--[a-z][\w.-]*')


def joined(text: str) -> list[str]:
  """Commands, a line each: a backslash, or an option in front, continues."""
  return re.sub(r'\s*\\?\n\s*(?=--)|\s*\\\n\s*', ' ', text).splitlines()


def blocks(text: str, wanted: str) -> list[str]:
  """A page's blocks in a language."""
  return [content for kind, content in BLOCK.findall(text) if kind == wanted]


def typed(text: str) -> list[str]:
  """Commands of a page's blocks: every line is one, or a comment."""
  return [
      line for content in blocks(text, 'sh') for line in joined(content)
      if line.strip() and line[0] != '#'
  ]


def spans(text: str) -> list[str]:
  """Code within a page's sentences, each on one line."""
  return [
      ' '.join(code.split())
      for code in re.findall(r'`([^`]+)`', BLOCK.sub('', text))
  ]


def shown(source: str) -> list[str]:
  """Commands of a module's docstrings."""
  found = [
      inspect.cleandoc(ast.get_docstring(node) or '')
      for node in ast.walk(ast.parse(source))
      if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
  ]
  return [
      line.strip() for text in found for line in joined(text)
      if re.match(r'\s*(python|adseg) \S', line)
  ]


def links(text: str) -> list[str]:
  """Places that a page's links and pictures lead to."""
  return re.findall(r'\]\(([^)\s]+)\)', BLOCK.sub('', text))


def headings(text: str) -> set[str]:
  """Of a page, as links name them."""
  return {
      re.sub(r'[^\w -]', '', title.lower()).replace(' ', '-')
      for title in re.findall(r'^#+ (.*)', BLOCK.sub('', text), re.M)
  }
