"""The families of captioners: which module loads the captioner of a checkpoint folder or of a name of the hub.

A family is one module with `load(source, device, precision) -> Captioner`, and one line here. A folder says its family
in `config.json`, a name in `model.hub.KNOWN`.
"""

from importlib import import_module
from pathlib import Path

from model import hub
from model.checkpoint_files import CheckpointError, read_config
from model.protocols import Captioner

DEFAULT = Path(__file__).parent / "default"  # the embedded captioner
FAMILIES = {
    "clipcap": "model.caption.clipcap_captioner",
}


def load_captioner(source: Path | str | None = None, device: str = "cpu", precision: str = "float32") -> Captioner:
    """The captioner of a checkpoint folder or of a name that `model.hub` has pulled, by default the embedded one.

    `precision`: one of PRECISIONS. Raises CheckpointError.
    """
    source = DEFAULT if source is None else source
    family = family_of(source)
    if family not in FAMILIES:
        raise CheckpointError(f"{source} is of the family {family!r}; this version knows {', '.join(FAMILIES)}")
    return import_module(FAMILIES[family]).load(source, device, precision)


def family_of(source: Path | str) -> str:
    """Raises CheckpointError if there is neither such a folder nor such a name."""
    folder = Path(source)
    if folder.is_dir():
        return read_config(folder)["family"]
    known = hub.KNOWN.get(str(source))
    if known is None:
        raise CheckpointError(
            f"there is no folder {folder}; give one that `sightline train` wrote, or a name of `sightline models list`"
        )
    if known.family is None:
        raise CheckpointError(f"{source} is a part of captioners, not one; `sightline models list` names those")
    return known.family
