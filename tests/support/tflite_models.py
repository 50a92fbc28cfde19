"""Writes tiny segmentation models (.tflite), by the schema that MediaPipe contains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def write_segmenter(path: Path, weights: np.ndarray, bias: np.ndarray, side: int = 64) -> Path:
    """A model whose class scores (1, side, side, K) are the softmax of weights (K, 3) times the
    colour (0 to 1) plus bias (K,)."""
    import flatbuffers
    from mediapipe.tasks.metadata import schema_py_generated as schema

    count = len(weights)
    model = schema.ModelT()
    model.version = 3
    model.description = "test"
    codes = []
    for code in (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.SOFTMAX):
        made = schema.OperatorCodeT()
        made.builtinCode = made.deprecatedBuiltinCode = code
        made.version = 1
        codes.append(made)
    model.operatorCodes = codes
    data = [None, weights.astype("<f4"), bias.astype("<f4"), None, None]
    model.buffers = []
    for values in data:
        buffer = schema.BufferT()
        buffer.data = None if values is None else np.frombuffer(values.tobytes(), np.uint8)
        model.buffers.append(buffer)
    graph = schema.SubGraphT()
    shapes = [
        ("input", (1, side, side, 3), 0), ("weights", (count, 1, 1, 3), 1), ("bias", (count,), 2),
        ("scores", (1, side, side, count), 0), ("chances", (1, side, side, count), 0),
    ]  # fmt: skip
    graph.tensors = [_tensor(schema, *shape) for shape in shapes]
    graph.inputs, graph.outputs = [0], [4]
    conv = schema.OperatorT()
    conv.opcodeIndex, conv.inputs, conv.outputs = 0, [0, 1, 2], [3]
    conv.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    conv.builtinOptions = schema.Conv2DOptionsT()
    conv.builtinOptions.strideW = conv.builtinOptions.strideH = 1
    softmax = schema.OperatorT()
    softmax.opcodeIndex, softmax.inputs, softmax.outputs = 1, [3], [4]
    softmax.builtinOptionsType = schema.BuiltinOptions.SoftmaxOptions
    softmax.builtinOptions = schema.SoftmaxOptionsT()
    softmax.builtinOptions.beta = 1.0
    graph.operators = [conv, softmax]
    model.subgraphs = [graph]
    _add_metadata(schema, model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def _tensor(schema: Any, name: str, shape: tuple[int, ...], buffer: int) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, list(shape), buffer
    tensor.type = schema.TensorType.FLOAT32
    return tensor


def _add_metadata(schema: Any, model: Any) -> None:
    """Say that the input is a picture from 0 to 1, as MediaPipe's own models do."""
    import flatbuffers
    from mediapipe.tasks.metadata import metadata_schema_py_generated as meta

    picture = meta.TensorMetadataT()
    picture.name = "image"
    picture.content = meta.ContentT()
    picture.content.contentPropertiesType = meta.ContentProperties.ImageProperties
    picture.content.contentProperties = meta.ImagePropertiesT()
    picture.content.contentProperties.colorSpace = meta.ColorSpaceType.RGB
    unit = meta.ProcessUnitT()
    unit.optionsType = meta.ProcessUnitOptions.NormalizationOptions
    unit.options = meta.NormalizationOptionsT()
    unit.options.mean, unit.options.std = [0.0], [255.0]
    picture.processUnits = [unit]
    masks = meta.TensorMetadataT()
    masks.name = "masks"
    graph = meta.SubGraphMetadataT()
    graph.inputTensorMetadata, graph.outputTensorMetadata = [picture], [masks]
    whole = meta.ModelMetadataT()
    whole.name = "test"
    whole.subgraphMetadata = [graph]
    builder = flatbuffers.Builder(256)
    builder.Finish(whole.Pack(builder), b"M001")
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(bytes(builder.Output()), np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers) - 1
    model.metadata = [entry]
