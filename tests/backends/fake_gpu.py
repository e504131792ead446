"""A GPU that is not there: the driver's functions and TensorRT's interface over main memory.

Copies really copy and captured graphs really replay what was queued, so that addresses, sizes and the
order of things are tested; what an engine computes is a function of arrays.
"""

# ruff: noqa: N802, N815 - the driver's own names

import ctypes

import numpy as np


def _address(value):
    return value.value if isinstance(value, ctypes.c_void_p) else int(value)


def _set(reference, value):
    reference._obj.value = value


class FakeDriver:
    """What `libcuda` does; `fail` gives a function's next error code."""

    def __init__(self, *, num_devices=1, capability=(8, 9), name=b"Fake GPU"):
        self.num_devices, self.capability, self.name = num_devices, capability, name
        self.fail = {}
        self.blocks, self.graphs, self.executables = {}, {}, {}
        self.captured = None
        self.num_launches = 0
        self.is_retained = False
        self.calls = []

    def __getattr__(self, name):
        action = object.__getattribute__(self, f"_{name}")

        def call(*arguments):
            self.calls.append(name)
            code = self.fail.pop(name, 0)
            if not code:
                action(*arguments)
            elif name == "cuStreamEndCapture":
                self.captured = None  # it ends in any case
            return code

        return call

    def queue(self, action):
        if self.captured is None:
            action()
        else:
            self.captured.append(action)

    def _cuInit(self, flags):
        pass

    def _cuDeviceGetCount(self, count):
        _set(count, self.num_devices)

    def _cuDeviceGet(self, device, place):
        _set(device, place)

    def _cuDeviceGetName(self, buffer, size, device):
        buffer.value = self.name

    def _cuDeviceGetAttribute(self, value, attribute, device):
        _set(value, self.capability[attribute - 75])

    def _cuDevicePrimaryCtxRetain(self, context, device):
        self.is_retained = True
        _set(context, 1)

    def _cuDevicePrimaryCtxRelease_v2(self, device):
        self.is_retained = False

    def _cuCtxSetCurrent(self, context):
        assert self.is_retained

    def _cuStreamCreate(self, stream, flags):
        _set(stream, 77)

    def _cuStreamDestroy_v2(self, stream):
        assert _address(stream) == 77

    def _cuStreamSynchronize(self, stream):
        assert self.captured is None

    def _alloc(self, pointer, size):
        block = (ctypes.c_uint8 * size.value)()
        _set(pointer, ctypes.addressof(block))
        self.blocks[ctypes.addressof(block)] = block

    def _cuMemAlloc_v2(self, pointer, size):
        self._alloc(pointer, size)

    def _cuMemHostAlloc(self, pointer, size, flags):
        self._alloc(pointer, size)

    def _cuMemFree_v2(self, pointer):
        del self.blocks[_address(pointer)]

    _cuMemFreeHost = _cuMemFree_v2

    def _cuMemcpyHtoDAsync_v2(self, to, source, size, stream):
        self.queue(lambda: ctypes.memmove(_address(to), _address(source), size.value))

    _cuMemcpyDtoHAsync_v2 = _cuMemcpyHtoDAsync_v2

    def _cuStreamBeginCapture_v2(self, stream, mode):
        self.captured = []

    def _cuStreamEndCapture(self, stream, graph):
        self.graphs[5] = self.captured
        self.captured = None
        _set(graph, 5)

    def _cuGraphInstantiateWithFlags(self, executable, graph, flags):
        handle = 100 + len(self.executables)
        self.executables[handle] = self.graphs[_address(graph)]
        _set(executable, handle)

    def _cuGraphDestroy(self, graph):
        del self.graphs[_address(graph)]

    def _cuGraphExecDestroy(self, executable):
        del self.executables[_address(executable)]

    def _cuGraphLaunch(self, executable, stream):
        self.num_launches += 1
        for action in self.executables[_address(executable)]:
            action()

    def _cuGetErrorString(self, code, text):
        _set(text, b"something broke")


class _Enum:
    def __init__(self, name):
        self.name = name


class FakeTensorRt:
    """The module `tensorrt`: engines that double `x` (P, 3) into `y`, for 1 to `most_people`."""

    __version__ = "11.0.0.114"

    class TensorIOMode:
        INPUT, OUTPUT = "in", "out"

    class ILogger:
        class Severity:
            INTERNAL_ERROR, ERROR, WARNING, INFO = range(4)

    def __init__(self, driver, *, most_people=4, rejects=False, is_full=False):
        module = self

        class Runtime:
            def __init__(self, logger):
                self.logger = logger

            def deserialize_cuda_engine(self, content):
                assert isinstance(content, bytes)
                if rejects:
                    self.logger.log(module.ILogger.Severity.ERROR, "magic tag does not match\nmore")
                    return None
                return _Engine(driver, most_people, is_full=is_full)

        self.Runtime = Runtime


class _Engine:
    num_io_tensors = 2

    def __init__(self, driver, most_people, *, is_full):
        self.driver, self.most_people, self.is_full = driver, most_people, is_full
        self.num_contexts = 0

    def get_tensor_name(self, place):
        return ("x", "y")[place]

    def get_tensor_mode(self, name):
        return "in" if name == "x" else "out"

    def get_tensor_dtype(self, name):
        return _Enum("FLOAT")

    def get_tensor_shape(self, name):
        return (-1, 3)

    def get_tensor_profile_shape(self, name, profile):
        return [(1, 3), (1, 3), (self.most_people, 3)]

    def create_runtime_config(self):
        return object()

    def create_execution_context(self, config):
        self.num_contexts += 1
        return None if self.is_full else _Context(self)


class _Context:
    def __init__(self, engine):
        self.engine, self.num_people, self.addresses = engine, None, {}

    def set_input_shape(self, name, shape):
        self.num_people = shape[0]
        return 1 <= shape[0] <= self.engine.most_people

    def get_tensor_shape(self, name):
        return (self.num_people, 3)

    def set_tensor_address(self, name, address):
        self.addresses[name] = address

    def execute_async_v3(self, stream):
        assert stream == 77
        self.engine.driver.queue(self._compute)
        return True

    def _compute(self):
        count = self.num_people * 3
        x, y = (
            np.ctypeslib.as_array((ctypes.c_float * count).from_address(self.addresses[name]))
            for name in ("x", "y")
        )
        y[:] = 2 * x
