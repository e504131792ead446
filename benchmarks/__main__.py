"""`python -m benchmarks NAME [options]`: every benchmark of the project."""

import importlib
import sys

_LINES = {
    "latency": "each stage, and grab to mesh, of the live path on this machine",
    "tracker_models": "our step with each size of BlazePose's landmark network, in turn",
    "backends": "every graph on every installed backend and precision, in turn",
    "peers": "our step beside MediaPipe's and the reference's way of working",
    "streaming": "cost of a frame against the length of the stream: stream, window, whole sequence",
    "people": "cost of a frame with 1 to 8 people",
    "glass": "from grab to pixels on the screen, measured by reading the screen",
    "soak": "memory, drift and drops over many frames",
    "accuracy": "joint errors on clips with known 3D joints",
    "foot_skate": "how far planted feet slide, with and without the floor's help",
    "leveling": "how far the estimated vertical is off before a tilted, a moved and a level camera",
    "network_outputs": "what VMC, VRChat and web outputs cost, and how late they arrive",
    "recorders": "what recording every format costs, and how long takes need to become files",
    "stillness": "how fast the joints of somebody who stands still seem to move",
    "faults": "everything that may go wrong, injected, and recorders killed",
    "report": "one HTML page and plots of a run; measures what is missing",
    "compare": "two results files, case by case, with a noise band",
}
_MODULES = {name: f"benchmarks.{name}" for name in _LINES}


def main(arguments: list[str] | None = None) -> int:
    """Runs one benchmark; 2 when there is none of that name."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(_help())
        return 0 if arguments else 2
    name, *others = arguments
    if name not in _MODULES:
        print(
            f"benchmarks: error: no benchmark '{name}': expected one of {', '.join(_LINES)}",
            file=sys.stderr,
        )
        return 2
    status: int = importlib.import_module(_MODULES[name]).main(others)
    return status


def _help() -> str:
    width = max(map(len, _LINES))
    lines = [f"  {name:<{width}}  {line}" for name, line in _LINES.items()]
    return "\n".join(
        [
            "usage: python -m benchmarks NAME [options]",
            "",
            *lines,
            "",
            "Options of each: python -m benchmarks NAME --help. Results are added to",
            "out/benchmarks/DATE-COMMIT.jsonl, which report and compare read.",
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
