"""The head in Blender's own render. Blender 5.3 and later draw Gaussian splats themselves: each
avatar has a cloud of splats (`cloud`), placed by a Geometry Nodes modifier (`native_group`), and
while Blender renders it receives the exact frame (`native_handlers`)."""
