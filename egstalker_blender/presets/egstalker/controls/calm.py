import bpy

props = bpy.context.object.egstalker
props.eye_source = "BLINK"
props.eye_closure = 0.0
props.blink_seed = 0
props.blink_rate = 10.0
props.blink_duration = 0.35
props.pose_source = "still"
props.nod = 0.0
props.pose_use_location = False
props.strength = 0.9
props.mouth_gain = 0.8
props.opacity = 1.0
props.colour_gain = 1.0
