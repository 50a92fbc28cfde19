"""Everything the core raises on purpose.

    EgsError                      one line for the user: what, which value, what to do next
    ├── InputError                an input is wrong              exit code 2
    │   ├── ArgumentError         an option or a value of a job
    │   ├── AvatarFileError       .egs
    │   ├── CheckpointError       official output folder: cfg_args, deformation.pth
    │   ├── PlyError              .ply
    │   ├── DatasetError          dataset folder: pictures, poses, eyes
    │   ├── AudioError            sound file or feature file
    │   ├── FeatureMismatchError  sound features are not those the avatar was trained on
    │   ├── VideoError            a video that cannot be made into a dataset
    │   └── CameraError           a camera that cannot be rendered from
    ├── MissingPackageError       an optional package is not installed        exit code 1
    ├── EngineError               an engine failed                            exit code 1
    │   ├── WorkerError           the worker cannot start, died, or does not answer
    │   └── ProtocolError         a message that is not in the protocol
    ├── TrainingError             training cannot continue: NaN, no memory     exit code 1
    ├── OutputError               a result cannot be written                  exit code 1
    └── CancelledError            the user asked to stop                      exit code 130

Only these are caught at the edges (command line, operators); anything else is a defect and keeps
its traceback.
"""

from __future__ import annotations


class EgsError(Exception):
    """Base of the tree. `str(error)` is one line that an animator can read."""

    exit_code = 1


class InputError(EgsError):
    exit_code = 2


class ArgumentError(InputError):
    pass


class AvatarFileError(InputError):
    pass


class CheckpointError(InputError):
    pass


class PlyError(InputError):
    pass


class DatasetError(InputError):
    pass


class AudioError(InputError):
    pass


class FeatureMismatchError(InputError):
    pass


class VideoError(InputError):
    pass


class CameraError(InputError):
    pass


class MissingPackageError(EgsError):
    pass


class EngineError(EgsError):
    pass


class WorkerError(EngineError):
    pass


class ProtocolError(EngineError):
    pass


class TrainingError(EgsError):
    pass


class OutputError(EgsError):
    pass


class CancelledError(EgsError):
    exit_code = 130
