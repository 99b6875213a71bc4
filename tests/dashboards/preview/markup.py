"""HTML and SVG as text: escaped once, well-formed, attributes in their order."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *inside: str | Markup, **attributes: object) -> Markup:
    """
    An element.

    Args:
        name: of the element.

        inside: what it holds; plain text is escaped.

        attributes: ``class_`` is ``class``, ``stroke_width`` is ``stroke-width``; numbers are rounded; None leaves out.
    """
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    body = join(inside)
    return Markup(f"<{name}{words}/>") if not body and name in _VOID else Markup(f"<{name}{words}>{body}</{name}>")


def join(parts: object) -> Markup:
    """One after another; plain text is escaped."""
    assert isinstance(parts, (list, tuple))
    return Markup("".join(part if isinstance(part, Markup) else escape(part, quote=False) for part in parts))


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """About how many pixels a text is wide in a font of *size* pixels."""
    ems = sum(
        0.3 if letter in _NARROW else 0.86 if letter in _WIDE else 0.64 if letter in _BROAD else 0.57 for letter in text
    )
    return size * ems * (1.05 if bold else 1.0)


def cut(text: str, width: float, size: float) -> str:
    """A text that fits into *width*, with an ellipsis where it was longer."""
    if width_of(text, size) <= width:
        return text
    while text and width_of(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


_NARROW = frozenset("iljtfrI.,:;|!'()[] ")
_WIDE = frozenset("mwMW%@")
_BROAD = frozenset("0123456789ABCDEFGHKNOPQRSUVXYZ_+–")
_VOID = frozenset({"line", "path", "rect", "circle", "polyline", "polygon", "meta", "br", "hr"})


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".rstrip("0").rstrip(".") if abs(value) >= 1e-9 else "0"
    return str(value)
