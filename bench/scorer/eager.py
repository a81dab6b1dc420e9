"""The bundled network in PyTorch, eagerly, operator by operator: what somebody without an ONNX runtime would run.

Arguments: MODEL.onnx WIDTH HEIGHT THREADS RUNS. Prints milliseconds a frame, and the largest difference from the file given
as a sixth argument (raw float32, the answer of onnxruntime), so that nobody compares with a network that does less.
"""
import sys
import time

import numpy
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper

TYPES = {1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool}


def tensor(proto):
    return torch.from_numpy(numpy.array(numpy_helper.to_array(proto)))


def attributes(node):
    return {a.name: tensor(a.t) if a.type == onnx.AttributeProto.TENSOR else onnx.helper.get_attribute_value(a) for a in node.attribute}


def pad(x, pads, value=None):
    count = x.dim()
    before, after = pads.tolist()[:count], pads.tolist()[count:]
    return F.pad(x, [before[3], after[3], before[2], after[2]], mode="reflect")


def slice_(x, starts, ends, axes=None, steps=None):
    axes = list(range(len(starts))) if axes is None else axes.tolist()
    steps = [1] * len(starts) if steps is None else steps.tolist()
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes, steps):
        size = x.shape[axis]
        indices = torch.tensor(list(range(size))[slice(start, end if abs(end) < 2**31 else None, step)])
        x = x.index_select(axis, indices)
    return x


def reshape(x, shape):
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape.tolist())])


OPERATORS = {
    "Constant": lambda a: a["value"],
    "Shape": lambda a, x: torch.tensor(x.shape),
    "Gather": lambda a, x, i: torch.take_along_dim(x, i.reshape(-1), 0).reshape(i.shape),
    "Unsqueeze": lambda a, x, axes: x.unsqueeze(int(axes)),
    "Sub": lambda a, x, y: x - y,
    "Div": lambda a, x, y: x // y if not x.is_floating_point() else x / y,
    "Mul": lambda a, x, y: x * y,
    "Add": lambda a, x, y: x + y,
    "ConstantOfShape": lambda a, shape: a["value"].expand(shape.tolist()),
    "Concat": lambda a, *xs: torch.cat(xs, a["axis"]),
    "Reshape": lambda a, x, shape: reshape(x, shape),
    "Slice": lambda a, *xs: slice_(*xs),
    "Transpose": lambda a, x: x.permute(a["perm"]),
    "Cast": lambda a, x: x.to(TYPES[a["to"]]),
    "Pad": lambda a, x, pads, *_: pad(x, pads),
    "Conv": lambda a, x, w, b=None: F.conv2d(x, w, b, stride=a["strides"], padding=a["pads"][:2], groups=a["group"]),
    "InstanceNormalization": lambda a, x, scale, bias: F.instance_norm(x, weight=scale, bias=bias, eps=a["epsilon"]),
    "Relu": lambda a, x: F.relu(x),
    "Tanh": lambda a, x: torch.tanh(x),
    "Clip": lambda a, x, low, high: torch.clamp(x, float(low), float(high)),
    "Resize": lambda a, x, *rest: F.interpolate(x, size=rest[-1].tolist()[2:], mode="nearest"),
}


def load(file):
    graph = onnx.load(file).graph
    weights = {each.name: tensor(each) for each in graph.initializer}
    nodes = [(OPERATORS[n.op_type], attributes(n), [i for i in n.input if i], n.output[0]) for n in graph.node]

    def run(image):
        values = {**weights, graph.input[0].name: image}
        for operator, given, inputs, output in nodes:
            values[output] = operator(given, *[values[name] for name in inputs])
        return values[graph.output[0].name]

    return run


def main():
    file, width, height, threads, runs = sys.argv[1], *map(int, sys.argv[2:6])
    torch.set_num_threads(threads)
    network = load(file)
    index = numpy.arange(3 * width * height)
    image = torch.from_numpy((128 + 100 * numpy.sin(index / 37)).astype(numpy.float32).reshape(1, 3, height, width))
    with torch.inference_mode():
        answer = network(image)
        network(image)
        began = time.perf_counter()
        for _ in range(runs):
            network(image)
        taken = time.perf_counter() - began
    expected = numpy.fromfile(sys.argv[6], dtype=numpy.float32).reshape(answer.shape)
    print(1000 * taken / runs, float(numpy.abs(answer.numpy() - expected).max()))


main()
