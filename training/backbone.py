"""MobileNetV2 weights from a quantized TensorFlow Lite file."""

from pathlib import Path

import numpy as np
import tflite
import torch

from model.clip.towers import MobileNetTower, conv_layers


def load_backbone(tower: MobileNetTower, path: Path) -> None:
    """Fill `tower`'s MobileNetV2 with the 52 convolutions of the .tflite file at `path`, in their order.

    Weights are int8 with a scale per output channel and zero point 0 (weight = int8 x scale), biases int32; layouts
    are (out, h, w, in), and (1, h, w, out) where depthwise. Raises ValueError where a shape does not fit.
    """
    model = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    convolutions = []
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if kind in (tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D):
            weight = _constant(model, graph.Tensors(operator.Inputs(1)))
            bias = _constant(model, graph.Tensors(operator.Inputs(2)))
            depthwise = kind == tflite.BuiltinOperator.DEPTHWISE_CONV_2D
            convolutions.append((weight.transpose(3, 0, 1, 2) if depthwise else weight.transpose(0, 3, 1, 2), bias))
    layers = conv_layers(tower.backbone)
    if len(convolutions) < len(layers):
        raise ValueError(f"{path.name} has {len(convolutions)} convolutions, MobileNetV2 needs {len(layers)}")
    for number, (layer, (weight, bias)) in enumerate(zip(layers, convolutions)):
        wanted = tuple(layer.convolution.weight.shape)
        if weight.shape != wanted:
            raise ValueError(f"{path.name}: convolution {number} has shape {weight.shape}, MobileNetV2 needs {wanted}")
        with torch.no_grad():
            layer.convolution.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight)))
            assert layer.convolution.bias is not None  # folded batch norms
            layer.convolution.bias.copy_(torch.from_numpy(bias))


def _constant(model: tflite.Model, tensor: tflite.Tensor) -> np.ndarray:
    """A constant tensor as float32, dequantized along its channel axis."""
    kinds = {tflite.TensorType.INT8: np.int8, tflite.TensorType.INT32: np.int32, tflite.TensorType.FLOAT32: np.float32}
    raw = model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
    values = np.frombuffer(raw, kinds[tensor.Type()]).reshape(tensor.ShapeAsNumpy()).astype(np.float32)
    quantization = tensor.Quantization()
    if quantization is None or quantization.ScaleLength() == 0:
        return values
    scale = quantization.ScaleAsNumpy().astype(np.float32)
    if len(scale) > 1:
        shape = [1] * values.ndim
        shape[quantization.QuantizedDimension()] = len(scale)
        scale = scale.reshape(shape)
    return values * scale
