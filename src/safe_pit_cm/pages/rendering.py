"""Fill the template of a page, which includes the style sheet that all pages share."""

from pathlib import Path
from typing import Any

import jinja2

FOLDER = Path(__file__).parent


def render(template: str | Path, *folders: Path, **variables: Any) -> str:
    """Fill a template.

    Parameters
    ----------
    template
        Jinja template. It can include ``style.css`` and ``sorting.js``, which lie beside this module, so that the page
        needs no other file.
    folders
        Where templates that it extends lie, if not in its own folder.
    variables
        Escaped wherever they are shown, unless the template marks them as safe; one that the template asks for and
        that is not given is an error.
    """
    path = Path(template)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([path.parent, *folders, FOLDER]),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(path.name).render(**variables)
