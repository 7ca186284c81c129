"""HTML tables."""


def row(cells: list[str], style: str = '') -> str:
  """A row of a table; the first cell is its heading. Cells are HTML."""
  first, *others = cells
  values = ''.join(f'<td>{text}</td>' for text in others)
  return f'<tr class="{style}"><th scope="row">{first}</th>{values}</tr>'


def table(
    head: list[str], rows: list[str], style: str = 'full', foot: str = ''
) -> str:
  """A table that scrolls sideways where it is too wide. All is HTML."""
  titles = ''.join(f'<th scope="col">{title}</th>' for title in head)
  return (
      f'<div class="scroll"><table class="{style}"><thead><tr>{titles}</tr>'
      f'</thead><tbody>{"".join(rows)}</tbody><tfoot>{foot}</tfoot></table>'
      '</div>'
  )
