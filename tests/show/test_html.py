"""Source as HTML, for notebooks."""

from gradcompile.show.html import highlighted


def test_source_is_highlighted_by_styles_of_its_own():
    html = highlighted("def f(x):\n    return x\n")
    assert html.startswith('<div class="highlight" style="background: #f8f8f8; color: #1f2328">')
    assert '<span style="color: #008000; font-weight: bold">def</span>' in html
    assert "class=" not in html.split(">", 1)[1]
