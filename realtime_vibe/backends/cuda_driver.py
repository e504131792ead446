"""The NVIDIA driver's own interface: memory, copies, a stream and captured graphs.

`libcuda` comes with every driver and keeps its functions' signatures, so that TensorRT needs no further
package: cuda-python would be as good but larger, and CuPy brings a compiler.
"""

import ctypes
import sys
from collections.abc import Callable
from typing import Any

from realtime_vibe.errors import BackendUnavailableError

_OUT_OF_MEMORY = 2
_MAJOR, _MINOR = 75, 76
_CAPTURE_IN_THIS_THREAD = 1
_NO_DRIVER = "install NVIDIA's driver for this GPU and restart, or use an ONNX engine (--engine blazepose-gru)"


class CudaDevice:
    """The first GPU; everything that is taken from it goes back when it is closed. `driver` None: the installed one.

    Raises:
        BackendUnavailableError: there is no driver or no GPU.
    """

    def __init__(self, driver: Any = None) -> None:
        self._driver = driver if driver is not None else _load_driver()
        self._memory: list[tuple[str, ctypes.c_void_p]] = []
        self._is_open = False
        self._call("cuInit", 0)
        count, device = ctypes.c_int(), ctypes.c_int()
        self._call("cuDeviceGetCount", ctypes.byref(count))
        if count.value == 0:
            raise BackendUnavailableError(f"the NVIDIA driver finds no GPU: {_NO_DRIVER}")
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        self._device = device.value
        self.name = self._read_name()
        """Such as `NVIDIA GeForce RTX 4070`."""
        self.compute_capability = f"{self._attribute(_MAJOR)}.{self._attribute(_MINOR)}"
        """Such as `8.9`."""
        # TensorRT uses the same context through the CUDA runtime.
        self._context = ctypes.c_void_p()
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), self._device)
        self._is_open = True
        self.activate()
        self._stream = ctypes.c_void_p()
        self._call("cuStreamCreate", ctypes.byref(self._stream), 0)

    @property
    def stream(self) -> int:
        """The stream's handle; the CUDA runtime knows it by the same number."""
        return self._stream.value or 0

    def activate(self) -> None:
        """Makes the GPU this thread's; needed in each thread, as sessions are opened in another one."""
        self._call("cuCtxSetCurrent", self._context)

    def device_memory(self, num_bytes: int) -> int:
        """Address of new memory on the GPU."""
        pointer = ctypes.c_void_p()
        self._call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(num_bytes))
        self._memory.append(("cuMemFree_v2", pointer))
        return pointer.value or 0

    def host_memory(self, num_bytes: int) -> int:
        """Address of new page-locked memory, which the GPU copies without the CPU."""
        pointer = ctypes.c_void_p()
        self._call("cuMemHostAlloc", ctypes.byref(pointer), ctypes.c_size_t(num_bytes), 0)
        self._memory.append(("cuMemFreeHost", pointer))
        return pointer.value or 0

    def upload(self, device: int, host: int, num_bytes: int) -> None:
        """Queues a copy to the GPU."""
        self._call(
            "cuMemcpyHtoDAsync_v2",
            ctypes.c_void_p(device),
            ctypes.c_void_p(host),
            ctypes.c_size_t(num_bytes),
            self._stream,
        )

    def download(self, host: int, device: int, num_bytes: int) -> None:
        """Queues a copy from the GPU."""
        self._call(
            "cuMemcpyDtoHAsync_v2",
            ctypes.c_void_p(host),
            ctypes.c_void_p(device),
            ctypes.c_size_t(num_bytes),
            self._stream,
        )

    def wait(self) -> None:
        """Returns when everything queued is done."""
        self._call("cuStreamSynchronize", self._stream)

    def captured(self, queue: Callable[[], None]) -> Callable[[], None]:
        """What `queue` queues, kept instead of being run: what is given queues all of it in one call.

        Raises:
            BackendUnavailableError: something of it cannot be captured.
        """
        graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuStreamBeginCapture_v2", self._stream, _CAPTURE_IN_THIS_THREAD)
        try:
            queue()
        finally:
            # Also after an error: the stream would stay in the capture.
            code = self._driver.cuStreamEndCapture(self._stream, ctypes.byref(graph))
        self._check(code, "cuStreamEndCapture")
        self._call(
            "cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, ctypes.c_ulonglong(0)
        )
        self._memory.append(("cuGraphExecDestroy", executable))
        self._call("cuGraphDestroy", graph)
        return lambda: self._call("cuGraphLaunch", executable, self._stream)

    def close(self) -> None:
        """Gives everything back; may be called twice."""
        if not self._is_open:
            return
        self._is_open = False
        self.activate()
        self.wait()
        for function, pointer in reversed(self._memory):
            self._call(function, pointer)
        self._memory.clear()
        self._call("cuStreamDestroy_v2", self._stream)
        self._call("cuDevicePrimaryCtxRelease_v2", self._device)

    def _attribute(self, attribute: int) -> int:
        value = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(value), attribute, self._device)
        return value.value

    def _read_name(self) -> str:
        name = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", name, 256, self._device)
        return name.value.decode(errors="replace")

    def _call(self, function: str, *arguments: Any) -> None:
        self._check(getattr(self._driver, function)(*arguments), function)

    def _check(self, code: int, function: str) -> None:
        if code == 0:
            return
        if code == _OUT_OF_MEMORY:
            raise BackendUnavailableError(
                f"{getattr(self, 'name', 'the GPU')} is out of memory ({function}): close other programs "
                "that use the GPU, or take an engine in fp16 or for fewer people"
            )
        text = ctypes.c_char_p()
        self._driver.cuGetErrorString(code, ctypes.byref(text))
        reason = (text.value or b"unknown error").decode(errors="replace")
        advice = "restart the program" if self._is_open else _NO_DRIVER
        raise BackendUnavailableError(f"CUDA error {code} in {function} ({reason}): {advice}")


def has_driver() -> bool:
    """Whether NVIDIA's driver is installed; a GPU may still be missing."""
    try:
        _load_driver()
    except BackendUnavailableError:
        return False
    return True


def _load_driver() -> Any:
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise BackendUnavailableError(
            f"no NVIDIA driver ({name} is not found): {_NO_DRIVER}"
        ) from error
