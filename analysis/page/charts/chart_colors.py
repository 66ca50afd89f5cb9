"""The colours of the interactive charts as CSS variables, for light and for dark pages.

They are those of the figures (`analysis.figures.style`), moved towards black or white as far as
they need to be legible on the page.
"""

from collections.abc import Sequence

from analysis.figures.style import FAMILY_STYLES, depth_style

LIGHT_PAGE, DARK_PAGE = "#ffffff", "#141414"  # --surface of the page
BLACK, WHITE = "#000000", "#ffffff"
# The least contrasts of the Web Content Accessibility Guidelines, for graphics and for text. On a
# dark page, graphics have that of text: thin lines look dimmer there.
MARK_CONTRASTS, TEXT_CONTRAST = {LIGHT_PAGE: 3.0, DARK_PAGE: 4.5}, 4.5
STEPS = 50  # of a mixture

Rgb = tuple[float, float, float]  # each from 0 to 1


def build_color_css(depths: Sequence[int]) -> str:
    """Return the rules that define `--family-NAME`, `--depth-N`, and both with `-text`.

    `depths`: layers, shallowest first.
    """
    light = _build_rule(depths, LIGHT_PAGE, BLACK)
    dark = _build_rule(depths, DARK_PAGE, WHITE)
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{ {dark} }}"


def _build_rule(depths: Sequence[int], page: str, ink: str) -> str:
    """Return the rule for pages of one colour. `ink`: the colour that is legible on it."""
    colors = {f"family-{name}": style["color"] for name, style in FAMILY_STYLES.items()}
    for index, depth in enumerate(depths):
        # The deepest network has the strongest contrast to the page: dark on light, light on dark.
        position = index if page == LIGHT_PAGE else len(depths) - 1 - index
        colors[f"depth-{depth}"] = _to_hex(depth_style(position, len(depths))["color"][:3])
    lines = []
    for name, color in colors.items():
        lines.append(f"--{name}: {make_legible(color, page, ink, MARK_CONTRASTS[page])};")
        lines.append(f"--{name}-text: {make_legible(color, page, ink, TEXT_CONTRAST)};")
    return f":root {{ {' '.join(lines)} }}"


def make_legible(color: str, page: str, ink: str, contrast: float) -> str:
    """Return the colour with as little of `ink` in it as gives this contrast to the page.

    All colours are `#rrggbb`. `ink` itself must have the contrast.
    """
    for step in range(STEPS + 1):
        mixed = _mix(_from_hex(color), _from_hex(ink), step / STEPS)
        if compute_contrast(_to_hex(mixed), page) >= contrast:
            return _to_hex(mixed)
    raise ValueError(f"{ink} on {page} has a contrast below {contrast}")


def compute_contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours by WCAG 2, from 1 to 21."""
    darker, lighter = sorted((_compute_luminance(first), _compute_luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def _compute_luminance(color: str) -> float:
    """Return the relative luminance of a colour by WCAG 2, from 0 to 1."""
    red, green, blue = (_linearise(channel) for channel in _from_hex(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linearise(channel: float) -> float:
    if channel <= 0.04045:
        return channel / 12.92
    return float(((channel + 0.055) / 1.055) ** 2.4)


def _mix(color: Rgb, ink: Rgb, share: float) -> Rgb:
    red, green, blue = (
        (1 - share) * own + share * other for own, other in zip(color, ink, strict=True)
    )
    return red, green, blue


def _from_hex(color: str) -> Rgb:
    red, green, blue = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue


def _to_hex(color: Rgb) -> str:
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in color)
