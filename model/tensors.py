"""Tensors from files that others wrote, without running anything in them: safetensors, `.pt`, TorchScript archives."""

import io
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from model.errors import SightlineError


class TensorsError(SightlineError):
    """A file whose tensors cannot be had; one sentence that names it."""


def read_tensors(path: Path | str) -> dict[str, Tensor]:
    """Name -> tensor of a `.safetensors` file, a `.pt` state dict or a TorchScript archive, in their own precision.

    A `.pt` may also be a dict that holds the state dict as "state_dict" or "model". Raises TensorsError.
    """
    path = Path(path)
    if not path.is_file():
        raise TensorsError(f"there is no file {path}")
    try:
        if path.suffix == ".safetensors":
            return load_file(str(path))
        if _is_torchscript(path):
            return _read_torchscript(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        with path.open("rb") as file:
            begins = file.read(2)
        if begins != b"PK" and begins[:1] != pickle.PROTO:  # a page that says what went wrong, for example
            raise TensorsError(f"{path} is damaged or no file of weights") from None
        raise TensorsError(
            f"{path} wants to run code of its own, which is refused; ask its makers for a state dict or safetensors"
        ) from None
    except (SafetensorError, zipfile.BadZipFile, RuntimeError, EOFError, LookupError, OSError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise TensorsError(f"{path} is damaged, cut short or no file of weights ({reason})") from None
    for name in ("state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict) or not found or not all(isinstance(v, Tensor) for v in found.values()):
        raise TensorsError(f"{path} holds no state dict, that is names with tensors")
    return dict(found)


def check_shapes(module: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    """Raise TensorsError, its sentence beginning with `where`, unless all that `module` holds is there in its shape."""
    for name, tensor in module.state_dict().items():
        if name not in tensors or tensors[name].shape != tensor.shape:
            found = list(tensors[name].shape) if name in tensors else "missing"
            raise TensorsError(f"{where}{name} should have shape {list(tensor.shape)} but is {found}")


def check_no_others(module: nn.Module, tensors: dict[str, Tensor], source: str, kind: str) -> None:
    """Raise TensorsError if `source` holds a tensor for which `module`, a `kind`, has no place."""
    wanted = module.state_dict()
    unknown = next((name for name in tensors if name not in wanted), None)
    if unknown is not None:
        raise TensorsError(f"{source} holds {unknown}, for which a {kind} has no place")


def count_layers(names: Iterable[str], pattern: str) -> int:
    """How many layers `names` have; the first group of `pattern` is a layer's number."""
    return max((int(match[1]) + 1 for name in names if (match := re.match(pattern, name))), default=0)


def assign(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Give a module that was made on "meta" its tensors, without a second copy of them in memory; all names must fit.

    The numbers of the positions, which transformers keeps as buffers and no file holds, are computed again.
    """
    module.load_state_dict(tensors, strict=False, assign=True)
    for part in module.modules():
        for name, buffer in part.named_buffers(recurse=False):
            if buffer.is_meta:
                if name != "position_ids":
                    raise TypeError(f"{type(part).__name__} has a buffer {name} that no file holds")
                part.register_buffer(name, torch.arange(buffer.shape[-1]).expand(buffer.shape), persistent=False)


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _read_torchscript(path: Path) -> dict[str, Tensor]:
    """Parameters and buffers of a scripted or traced module; its code is not even parsed."""
    with zipfile.ZipFile(path) as archive:
        pickled = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        root = _Unpickler(archive, pickled.removesuffix("data.pkl")).load()
    tensors: dict[str, Tensor] = {}
    _collect(root, "", tensors)
    return tensors


class _Module:
    """Stands for every class of the archive: what it was given as state is kept, nothing is called."""

    def __init__(self, *args):
        self.state: dict = {}

    def __setstate__(self, state) -> None:
        self.state = state if isinstance(state, dict) else {}


class _Unpickler(pickle.Unpickler):
    """Builds tensors, ordered dicts and _Module; any other name in the pickle is refused."""

    def __init__(self, archive: zipfile.ZipFile, root: str):
        super().__init__(io.BytesIO(archive.read(root + "data.pkl")))
        self._archive, self._root = archive, root

    def find_class(self, module: str, name: str):
        if module.startswith("__torch__"):
            return _Module
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name.endswith("Storage"):
            return name
        if module == "torch.jit._pickle":  # build_intlist and its like: plain lists
            return lambda values, *_: values
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid):
        """("storage", type, key, device, count) -> flat tensor (count,)."""
        _, kind, key, _, count = pid
        dtype = getattr(torch, str(kind).removesuffix("Storage").lower(), None)
        if not isinstance(dtype, torch.dtype):
            raise pickle.UnpicklingError(str(kind))
        raw = bytearray(self._archive.read(f"{self._root}data/{key}"))
        return torch.frombuffer(raw, dtype=dtype, count=count) if count else torch.empty(0, dtype=dtype)


def _rebuild_tensor(storage: Tensor, offset: int, size: tuple, stride: tuple, *_) -> Tensor:
    return storage.as_strided(size, stride, offset)


def _collect(module: _Module, prefix: str, tensors: dict[str, Tensor]) -> None:
    for name, value in module.state.items():
        if isinstance(value, Tensor):
            tensors[prefix + name] = value
        elif isinstance(value, _Module):
            _collect(value, f"{prefix}{name}.", tensors)
