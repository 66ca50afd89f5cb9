"""One file a figure: (frame, axes) -> axes. Looks are in style.py."""
