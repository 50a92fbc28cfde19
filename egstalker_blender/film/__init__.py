"""Films: baked frames and the voice, mixed and encoded by a second Blender.

second     starts that Blender on one of the two scripts, and stops it
mixer      a script: the sound of a scene as a WAV file
voice      what it mixes: a copy of the scene that drives a head, with nothing else in it
encoder    a script: an empty scene with the pictures and the sound as strips, by Blender's FFmpeg
encode     reports its progress; the film appears complete or not at all
film       from a gathered bake to a film
operators  *Bake Video*
"""
