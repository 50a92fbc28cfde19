"""Films: baked frames and the voice, encoded by Blender's FFmpeg in a process of its own.

encoder    runs in that process: an empty scene with the pictures and the sound as strips
encode     starts it, reports its progress, stops it; the film appears complete or not at all
film       from a gathered bake to a film
operators  *Bake Video*
"""
