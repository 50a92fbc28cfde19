"""The settings of a training. They belong to the scene, so that they are saved with the file."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from ..properties import RELATIVE
from .plan import AUTO

SOURCE_ITEMS = (
    ("DATASET", "Dataset", "A folder of prepared frames, in the layout of the official trainers"),
    ("VIDEO", "Video", "A video of one talking person, from which a dataset is created first"),
)
PRESET_ITEMS = (
    ("draft", "Draft", "Small and quick, to check that the dataset works"),
    ("good", "Good", "For use; possible on a CPU"),
    ("best", "Best", "For a GPU or overnight"),
)
FEATURE_ITEMS = (
    (AUTO, "Automatic", "The preset's default"),
    ("log-mel", "Log-Mel", "Loudness per frequency band: closest to the trained voice"),
    ("phonetic", "Phonetic", "Speech sounds: also works with other voices"),
    ("log-mel+phonetic", "Both", "Log-mel and phonetic together"),
)


class EGSTALKER_PG_training(bpy.types.PropertyGroup):
    source: EnumProperty(name="Source", description="Type of data to train on", items=SOURCE_ITEMS)
    dataset: StringProperty(
        name="Dataset",
        description="Folder with ori_imgs, parsing, transforms_train.json and the rest",
        subtype="DIR_PATH",
        options=RELATIVE,
    )
    video: StringProperty(
        name="Video",
        description="Video of one person who talks and looks at the camera, with sound",
        subtype="FILE_PATH",
        options=RELATIVE,
    )
    output: StringProperty(
        name="Output",
        description="Avatar file (.egs) to write. The training's state is saved next to it, in a "
        "folder of the same name that ends in .training",
        default="//avatar.egs",
        subtype="FILE_PATH",
        options=RELATIVE,
    )
    preset: EnumProperty(
        name="Preset",
        description="More quality takes more time",
        items=PRESET_ITEMS,
        default="good",
    )
    minutes: IntProperty(
        name="Minutes",
        description="Time limit of the training. 0: as long as the preset needs",
        min=0,
        soft_max=240,
        max=10_000,
    )
    features: EnumProperty(
        name="Sound",
        description="Audio features that drive the network",
        items=FEATURE_ITEMS,
    )
    import_result: BoolProperty(
        name="Import When Done",
        description="Import the avatar into this scene when the training is done",
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
