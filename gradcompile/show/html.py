"""Source as HTML, for notebooks."""


def highlighted(source: str) -> str:
    """Highlight Python source, as HTML with inline styles."""
    from pygments import highlight  # only notebooks need it
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return str(
        highlight(source, PythonLexer(), HtmlFormatter(noclasses=True, cssstyles="color: #1f2328"))
    )
