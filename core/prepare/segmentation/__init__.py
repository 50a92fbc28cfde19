"""From a frame to its regions: head (with hair), neck, torso, background.

outline.py      start here: the person's outline, from a network, sharpened by the known background
view.py         a frame at the size at which it is segmented
coordinates.py  where pixels lie relative to the face
colours.py      histograms of colours
hair.py         does hair hang beside the mouth? Decided once a clip
person.py       what is learnt once a clip: hair, colours
jaw.py          collar, jacket and wall beside the jaw
split.py        the regions of a frame
filters.py      box filters, the guided filter, pieces of masks
"""
