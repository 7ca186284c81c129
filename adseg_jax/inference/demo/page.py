"""The page, in gradio."""

from pathlib import Path

import gradio

from adseg_jax.inference import pictures
from adseg_jax.inference.demo import words
from adseg_jax.inference.demo.answer import answer

# Gradio's own themes fetch theirs.
_FONTS = ['system-ui', 'sans-serif']
THEME = gradio.themes.Default(font=_FONTS, font_mono=['monospace'])
# Not gradio's button that shares a picture with the world.
_SHOWN = {
    'show_label': False, 'format': 'png', 'interactive': False,
    'buttons': ['fullscreen', 'download'],
}


def make_page(trained, predict) -> gradio.Blocks:
  """The page of a `Trained` segmentor, whose `make_predict` is given, too."""
  classes, palette = trained.classes, trained.palette

  def show(path):
    """New contents of: the drop zone, line, results, and what is in them."""
    name = Path(path).name
    try:
      picture = pictures.read(Path(path))
    except pictures.Unreadable as error:
      reason = str(error).replace(path, name)
      line = f'{name} is no picture that can be read ({reason}): drop another.'
      return None, words.wrong(line), gradio.update(visible=False), *4 * [
          gradio.skip()
      ]
    found = answer(picture, predict(picture), palette)
    height, width = picture.shape[:2]
    return (
        None, words.told(f'{name}, {width} x {height} pixels'),
        gradio.update(visible=True), (found.picture, found.overlay),
        words.legend(classes, palette, found.shares), found.map,
        words.confidence(found.confidence, len(classes)),
    )

  name = trained.experiment.name
  with gradio.Blocks(title=name, analytics_enabled=False) as page:
    gradio.HTML(words.title(name, trained.step))
    # Of all types: gradio's own refusal does not say what is wrong.
    file = gradio.File(label='Picture', height=140)
    line = gradio.HTML(words.told('Drop a picture, or choose one.'))
    with gradio.Row(visible=False) as results:
      with gradio.Column():
        gradio.HTML(words.heading('Picture | classes'))
        slider = gradio.ImageSlider(elem_id='classes', **_SHOWN)
        legend = gradio.HTML()
      with gradio.Column():
        gradio.HTML(words.heading('Confidence'))
        sure = gradio.Image(elem_id='confidence', **_SHOWN)
        key = gradio.HTML()
    file.upload(
        show, file, [file, line, results, slider, legend, sure, key],
        api_visibility='private',
    )
  return page
