"""Pictures that people can read."""

from matplotlib.text import Text


def assert_legible(picture):
    """Every text that is drawn lies inside the picture, whole."""
    picture.draw_without_rendering()
    boxes = [text.get_window_extent() for text in picture.findobj(Text) if text.get_text() and text.get_visible()]
    inside = [box for box in boxes if picture.bbox.padded(1).contains(box.x0, box.y0)]
    # Labels of ticks beyond an axis's ends are never drawn; they lie wholly outside.
    assert inside
    assert all(picture.bbox.padded(1).contains(box.x1, box.y1) for box in inside)
    assert all(box in inside or not picture.bbox.overlaps(box) for box in boxes)
