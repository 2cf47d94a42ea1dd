"""A quantized TensorFlow Lite file, written by the test, fills MobileNetV2."""

import flatbuffers
import numpy as np
import pytest
import tflite
import torch

from model.clip.towers import MobileNetTower, conv_layers
from training.backbone import load_backbone

CONV, DEPTHWISE = tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D


def shapes() -> list[tuple[int, tuple[int, ...]]]:
    """Operator and weight shape, as TensorFlow Lite has it, of each of the 52 convolutions."""
    found = []
    for layer in conv_layers(MobileNetTower(8, 1).backbone):
        out, inner, height, width = layer.convolution.weight.shape
        depthwise = layer.convolution.groups > 1
        found.append((DEPTHWISE, (1, height, width, out)) if depthwise else (CONV, (out, height, width, inner)))
    return found


def write_model(path, layers) -> list[tuple[np.ndarray, np.ndarray]]:
    """A file with those convolutions; returns weights and biases as they should be read."""
    rng, builder = np.random.default_rng(0), flatbuffers.Builder(2**22)
    buffers, tensors, operators, meant = [builder_buffer(builder, b"")], [], [], []
    for kind, shape in layers:
        channel_axis = 3 if kind == DEPTHWISE else 0
        channels = shape[channel_axis]
        values = rng.integers(-127, 128, shape, dtype=np.int8)
        bias = rng.integers(-1000, 1000, channels, dtype=np.int32)
        scale, bias_scale = (rng.uniform(0.001, 0.01, channels).astype(np.float32) for _ in range(2))
        along = [1] * 4
        along[channel_axis] = channels
        meant.append((values * scale.reshape(along), bias * bias_scale))
        places = []
        for array, kind_of, scales, axis in (
            (values, tflite.TensorType.INT8, scale, channel_axis),
            (bias, tflite.TensorType.INT32, bias_scale, 0),
        ):
            buffers.append(builder_buffer(builder, array.tobytes()))
            tensors.append(builder_tensor(builder, array.shape, kind_of, len(buffers) - 1, scales, axis))
            places.append(len(tensors) - 1)
        inputs = builder.CreateNumpyVector(np.array([0, *places], np.int32))
        tflite.OperatorStart(builder)
        tflite.OperatorAddOpcodeIndex(builder, 0 if kind == CONV else 1)
        tflite.OperatorAddInputs(builder, inputs)
        operators.append(tflite.OperatorEnd(builder))
    codes = []
    for code in (CONV, DEPTHWISE):
        tflite.OperatorCodeStart(builder)
        tflite.OperatorCodeAddBuiltinCode(builder, code)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, code)
        codes.append(tflite.OperatorCodeEnd(builder))
    tensors, operators = vector(builder, tensors), vector(builder, operators)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, tensors)
    tflite.SubGraphAddOperators(builder, operators)
    graphs = vector(builder, [tflite.SubGraphEnd(builder)])
    codes, buffers = vector(builder, codes), vector(builder, buffers)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, codes)
    tflite.ModelAddSubgraphs(builder, graphs)
    tflite.ModelAddBuffers(builder, buffers)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    path.write_bytes(builder.Output())
    return meant


def vector(builder, offsets) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def builder_buffer(builder, content: bytes) -> int:
    data = builder.CreateByteVector(content)
    tflite.BufferStart(builder)
    tflite.BufferAddData(builder, data)
    return tflite.BufferEnd(builder)


def builder_tensor(builder, shape, kind, buffer, scales, axis) -> int:
    scale = builder.CreateNumpyVector(scales)
    tflite.QuantizationParametersStart(builder)
    tflite.QuantizationParametersAddScale(builder, scale)
    tflite.QuantizationParametersAddQuantizedDimension(builder, axis)
    quantization = tflite.QuantizationParametersEnd(builder)
    size = builder.CreateNumpyVector(np.array(shape, np.int32))
    tflite.TensorStart(builder)
    tflite.TensorAddShape(builder, size)
    tflite.TensorAddType(builder, kind)
    tflite.TensorAddBuffer(builder, buffer)
    tflite.TensorAddQuantization(builder, quantization)
    return tflite.TensorEnd(builder)


def test_weights_are_dequantized_in_order(tmp_path):
    meant = write_model(tmp_path / "net.tflite", shapes())
    tower = MobileNetTower(8, 1)
    load_backbone(tower, tmp_path / "net.tflite")
    for layer, (weight, bias) in zip(conv_layers(tower.backbone), meant, strict=True):
        axes = (3, 0, 1, 2) if layer.convolution.groups > 1 else (0, 3, 1, 2)
        np.testing.assert_allclose(layer.convolution.weight.detach(), weight.transpose(axes), rtol=1e-6)
        np.testing.assert_allclose(layer.convolution.bias.detach(), bias, rtol=1e-6)
    with torch.inference_mode():
        assert torch.isfinite(tower(torch.zeros(1, 3, 64, 64)).embedding).all()


def test_another_net_is_refused(tmp_path):
    layers = shapes()
    write_model(tmp_path / "short.tflite", layers[:10])
    with pytest.raises(ValueError, match="has 10 convolutions, MobileNetV2 needs 52"):
        load_backbone(MobileNetTower(8, 1), tmp_path / "short.tflite")
    layers[5] = (CONV, (7, 1, 1, 16))
    write_model(tmp_path / "odd.tflite", layers)
    with pytest.raises(ValueError, match="convolution 5 has shape"):
        load_backbone(MobileNetTower(8, 1), tmp_path / "odd.tflite")
