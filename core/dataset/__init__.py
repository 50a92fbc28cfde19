"""Dataset folders of the field, read for avatars, training and evaluation.

load.py         start here: load_dataset (an avatar's parts), load_clip (training, evaluation)
clip.py         TrainingClip and Frame, from load_clip; cache.py keeps decoded frames
files.py        which frame has which file
transforms.py   transforms_*.json: the lens, the frames of each split, their poses
track.py        track_params.pt: head poses and mesh
eyes.py         eye closure: eye_table.py (au.csv), bs.npy or the landmarks
pictures.py     the one picture reader; background, torso
masks.py        parsing/: which pixels are the head     rates.py  usual frame rates
landmarks.py    .lms files, the lips' square, triangulation
visual_hull.py  first points for a head without a mesh
sound.py        audio features of a training             sound_npy.py  features from .npy files
features.py     feature kinds and their normalisation
idle.py         the movement that an avatar keeps, without frames left out
rows.py         frames to train on and frames to measure
report.py       errors and notes, collected
"""
