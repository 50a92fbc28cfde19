"""The points of MediaPipe's face mesh (468 points and 10 of the irises).

Indices are those of the published canonical face model; "right" and "left" are the person's own, so
right is on the left of a picture. The list of 68 follows the iBUG order of .lms files: jaw, brows,
nose, eyes, outer lip, inner lip."""

from __future__ import annotations

import numpy as np

MESH_POINTS = 478
SKIN_POINTS = 468  # without the irises

JAW = (127, 234, 93, 132, 172, 150, 149, 148, 152, 377, 378, 379, 397, 361, 323, 454, 356)
BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
NOSE = (168, 197, 5, 4, 98, 97, 2, 326, 327)
EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
OUTER_LIP = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91)
INNER_LIP = (78, 81, 13, 311, 308, 402, 14, 178)
IBUG = np.array(JAW + BROWS + NOSE + EYES + OUTER_LIP + INNER_LIP)

# The outline of the face, from the middle of the forehead over the person's left side.
OVAL = np.array([
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
])  # fmt: skip
# Its upper part, from the person's right ear over the forehead to the left one.
UPPER_OVAL = np.concatenate([OVAL[28:], OVAL[:9]])
# Its lower part, from the person's right ear over the chin to the left one.
JAW_LINE = np.array([
    127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288,
    361, 323, 454, 356,
])  # fmt: skip

# Points that speech and blinks do not move: bridge and wings of the nose, corners of the eyes and
# what lies around them, temples, cheekbones, forehead. They carry the head's pose.
STABLE = np.array([
    # bridge and tip of the nose
    168, 6, 197, 195, 5, 4, 1, 122, 351, 196, 419, 3, 248, 236, 456, 174, 399, 188, 412, 193, 417,
    51, 281, 45, 275, 134, 363, 131, 360, 220, 440, 115, 344, 48, 278, 198, 420, 217, 437, 114, 343,
    # corners of the eyes, sockets
    33, 263, 133, 362, 130, 359, 243, 463, 226, 446, 35, 265, 31, 261, 228, 448, 229, 449, 230, 450,
    231, 451, 232, 452, 233, 453, 128, 357, 245, 465, 244, 464,
    # cheekbones
    111, 340, 117, 346, 118, 347, 119, 348, 120, 349, 121, 350, 100, 329, 47, 277, 143, 372, 116,
    345, 123, 352, 50, 280, 101, 330,
    # temples and the upper outline
    127, 356, 162, 389, 21, 251, 234, 454, 34, 264, 139, 368, 156, 383, 71, 301, 54, 284, 227, 447,
    # forehead
    10, 151, 9, 8, 109, 338, 67, 297, 103, 332, 108, 337, 69, 299, 104, 333, 68, 298,
])  # fmt: skip

# Corner, two pairs of upper and lower lid, corner: the points of an eye's aspect ratio.
RIGHT_EYE = (33, 160, 144, 158, 153, 133)
LEFT_EYE = (263, 387, 373, 385, 380, 362)
OUTER_CORNERS = (33, 263)
NOSE_TIP, CHIN, FOREHEAD = 4, 152, 10
NOSE_BASE, LOWER_LIP = 2, 17

# Pairs that mirror each other: they give the plane of symmetry.
MIRRORED = np.array([
    (33, 263), (133, 362), (234, 454), (127, 356), (162, 389), (93, 323), (58, 288), (172, 397),
    (61, 291), (98, 327), (117, 346), (50, 280), (70, 300), (107, 336), (54, 284), (103, 332),
])  # fmt: skip
