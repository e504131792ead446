"""Builds the `.task` bundle that MediaPipe's own pose landmarker loads, from the same two files.

The wheel's files lack the metadata that MediaPipe Tasks asks for: how to normalise the image. It is
added with the schema that MediaPipe itself installs; its metadata writer does not import in 1.x.
"""

import zipfile
from pathlib import Path
from typing import IO

from export.blazepose_source import BlazePoseFiles
from realtime_vibe.errors import BackendUnavailableError
from realtime_vibe.system.machine import install_command
from realtime_vibe.system.placing import write_atomically


def write_task(files: BlazePoseFiles, path: Path) -> None:
    """Writes the bundle.

    Args:
        path: of the `.task` file; its folder is made when absent.

    Raises:
        BackendUnavailableError: MediaPipe is not installed.
    """
    members = {
        "pose_detector.tflite": _with_normalisation(files.detector, mean=127.5, std=127.5),
        "pose_landmarks_detector.tflite": _with_normalisation(files.landmarks, mean=0.0, std=255.0),
    }
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(file: IO[bytes]) -> None:
        # Stored, not deflated: MediaPipe maps the models straight from the archive.
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)

    write_atomically(path, write, overwrite=True)


def _with_normalisation(path: Path, *, mean: float, std: float) -> bytes:
    try:
        import flatbuffers
        from mediapipe.tasks.metadata import metadata_schema_py_generated as schema
        from mediapipe.tasks.metadata import schema_py_generated as tflite_schema
    except ImportError as error:
        raise BackendUnavailableError(
            f"MediaPipe is not installed ({error}): {install_command('mediapipe')}"
        ) from error

    model = tflite_schema.ModelT.InitFromObj(
        tflite_schema.Model.GetRootAsModel(path.read_bytes(), 0)
    )
    options = schema.NormalizationOptionsT()
    options.mean, options.std = [mean], [std]
    unit = schema.ProcessUnitT()
    unit.optionsType = schema.ProcessUnitOptions.NormalizationOptions
    unit.options = options
    properties = schema.ImagePropertiesT()
    properties.colorSpace = schema.ColorSpaceType.RGB
    content = schema.ContentT()
    content.contentPropertiesType = schema.ContentProperties.ImageProperties
    content.contentProperties = properties
    image = schema.TensorMetadataT()
    image.name, image.content, image.processUnits = "image", content, [unit]
    subgraph = schema.SubGraphMetadataT()
    subgraph.inputTensorMetadata = [image]
    subgraph.outputTensorMetadata = [schema.TensorMetadataT() for _ in model.subgraphs[0].outputs]
    metadata = schema.ModelMetadataT()
    metadata.name, metadata.subgraphMetadata = path.stem, [subgraph]
    builder = flatbuffers.Builder(0)
    builder.Finish(metadata.Pack(builder), b"M001")
    buffer = tflite_schema.BufferT()
    buffer.data = list(builder.Output())
    entry = tflite_schema.MetadataT()
    entry.name, entry.buffer = "TFLITE_METADATA", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
