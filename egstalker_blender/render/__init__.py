"""The head in Blender's own render. Blender 5.3 and later draw Gaussian splats themselves: each
avatar has a cloud of splats (`cloud`), placed by a Geometry Nodes modifier (`native_group`), and
while Blender renders it receives the exact frame (`native_handlers`). In every version a scene may
have a render layer instead (`layer_tree`): the compositor combines the picture with the heads as a
bake draws them (`layer_handlers`)."""
