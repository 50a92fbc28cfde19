import bpy

props = bpy.context.object.egstalker
props.eye_source = "BLINK"
props.eye_closure = 0.0
props.blink_seed = 0
props.blink_rate = 20.0
props.blink_duration = 0.25
props.pose_source = "track"
props.nod = 0.0
props.pose_use_location = False
props.strength = 1.0
props.mouth_gain = 1.25
props.opacity = 1.0
props.colour_gain = 1.0
