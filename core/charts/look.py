"""Colours, sizes and styles of the picture, in px.

It is dark on purpose: among light and dark messages alike it reads as a card of its own. Phones
show it at a third of its width, so that 30 px read like 10 points.
"""

from core.charts.lettering import Style

BACKGROUND = (13, 17, 27)
CARD = (24, 30, 44)
RULE = (46, 55, 76)
TEXT = (243, 246, 251)
QUIET = (163, 174, 194)
COST = (52, 211, 153)
OVER = (251, 92, 100)
LIMIT = (255, 178, 172)
UNKNOWN = (104, 116, 143)
CACHED = (58, 105, 182)
FRESH = (128, 187, 255)
OUTPUT = (250, 190, 88)
SHARE = (36, 58, 92)

WIDTH = 1_080
MARGIN = 36
GAP = 24
PADDING = 36
RADIUS = 36
LEFT = MARGIN + PADDING  # of what stands in a card
RIGHT = WIDTH - LEFT
ROOM = RIGHT - LEFT

HEADLINE = Style(size=100, color=TEXT, is_bold=True)
TITLE = Style(size=38, color=TEXT, is_bold=True)
STRONG = Style(size=34, color=TEXT, is_bold=True)
NORMAL = Style(size=34, color=TEXT)
SOFT = Style(size=34, color=QUIET)
SMALL = Style(size=30, color=QUIET)
VALUE = Style(size=28, color=TEXT, is_bold=True, halo=CARD)
