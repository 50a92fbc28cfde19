"""Films: baked frames and the voice, mixed and encoded by a second Blender (jobs/second.py).

voice      what it mixes (sound/elsewhere.py): the scene that drives a head, with nothing else in it
encoder    a script: an empty scene with the pictures and the sound as strips, by Blender's FFmpeg
encode     reports its progress; the film appears complete or not at all
plan       which film is wanted, and where
film       from a gathered bake to a film
operators  *Bake Video*
"""
