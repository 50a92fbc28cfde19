"""What the user sets for a training. In the scene, so that it is there again when the file is."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from ..properties import RELATIVE
from .plan import AUTO

SOURCE_ITEMS = (
    ("DATASET", "Dataset", "A folder of prepared frames, as the official trainers read it"),
    ("VIDEO", "Video", "A film of one talking person; a dataset is made from it first"),
)
PRESET_ITEMS = (
    ("draft", "Draft", "Small and soon done, to see whether the dataset works"),
    ("good", "Good", "For use; within reach of a processor"),
    ("best", "Best", "For a GPU, or a night"),
)
FEATURE_ITEMS = (
    (AUTO, "Automatic", "What the preset prefers"),
    ("log-mel", "Log-Mel", "Loudness by pitch: closest to the trained voice"),
    ("phonetic", "Phonetic", "What is being said: carries to other voices"),
    ("log-mel+phonetic", "Both", "Log-mel and phonetic together"),
)


class EGSTALKER_PG_training(bpy.types.PropertyGroup):
    source: EnumProperty(name="Source", description="What it learns from", items=SOURCE_ITEMS)
    dataset: StringProperty(
        name="Dataset",
        description="Folder with ori_imgs, parsing, transforms_train.json and the rest",
        subtype="DIR_PATH",
        options=RELATIVE,
    )
    video: StringProperty(
        name="Video",
        description="Film of one person who talks and looks at the camera, with sound",
        subtype="FILE_PATH",
        options=RELATIVE,
    )
    output: StringProperty(
        name="Output",
        description="Avatar file (.egs) that is written. The training's state is kept beside it, "
        "in a folder of the same name that ends in .training",
        default="//avatar.egs",
        subtype="FILE_PATH",
        options=RELATIVE,
    )
    preset: EnumProperty(
        name="Preset",
        description="Quality against time",
        items=PRESET_ITEMS,
        default="good",
    )
    minutes: IntProperty(
        name="Minutes",
        description="Time that the training may take. 0: as long as the preset needs",
        min=0,
        soft_max=240,
        max=10_000,
    )
    features: EnumProperty(
        name="Sound",
        description="What the network hears of a voice",
        items=FEATURE_ITEMS,
    )
    import_result: BoolProperty(
        name="Import When Done",
        description="Make an object of the avatar in this scene when the training is done",
        default=True,
    )


_register_class, _unregister_class = bpy.utils.register_classes_factory((EGSTALKER_PG_training,))


def register() -> None:
    _register_class()
    bpy.types.Scene.egstalker_training = PointerProperty(
        type=EGSTALKER_PG_training, name="EGSTalker Training"
    )


def unregister() -> None:
    del bpy.types.Scene.egstalker_training
    _unregister_class()
