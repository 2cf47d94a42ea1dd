"""`sightline bulk`: captions, alt texts and a library of a whole folder of photos."""

import csv
import glob
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path

import click
from tqdm import tqdm

from deploy.alt_text import AltTextError, write_copy
from deploy.cli import open_library, print_any_name
from deploy.config import Settings
from deploy.describe_command import LanguageCode
from deploy.describing import DescribeOptions, as_record, certainty_of, rounded, spoken_text_of
from deploy.inference import MAX_BATCH, load_describer
from deploy.library import KEY
from model.certainty import Certainty
from model.describe import Description, scene_of
from model.imaging import Photo, PhotoError, open_photo
from model.protocols import STYLES
from model.telling import Telling, spoken_text

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".heic", ".heif", ".avif"}
COLUMNS = ("image", "caption", "confidence", "certainty", "spoken", "language")
LEAST = ("high", "medium", "low", "unknown")
SILENT = "It was described with many others, without sound."


class Captions:
    """The file --out: a row for each photo, whole and on its way to the disk before the next is begun."""

    def __init__(self, path: Path, resume: bool):
        """Raises click.ClickException if there is such a file and it is not to be resumed, or is something else."""
        self.path, self._as_csv = path, path.suffix.lower() == ".csv"
        # Names of files are bytes: those that are no text stand in a CSV as they are, in JSON escaped.
        self._errors = "surrogateescape" if self._as_csv else "backslashreplace"
        if path.exists() and not resume:
            raise click.ClickException(f"{path} exists already; go on with it by --resume, or give another --out.")
        self.done = self._repair() if path.exists() else {}  # photo -> its certainty

    def begin(self) -> None:
        """Open the file. Raises click.ClickException."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8", errors=self._errors, newline="")
        except OSError as error:
            raise click.ClickException(
                f"{self.path} cannot be written ({error.strerror}); give another --out."
            ) from None
        if self._as_csv and not self._file.tell():
            csv.writer(self._file).writerow(COLUMNS)

    def add(self, row: dict) -> None:
        if self._as_csv:
            csv.writer(self._file).writerow([row[name] for name in COLUMNS])
        else:
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _repair(self) -> dict[str, Certainty]:
        """-> the photos that have a row, with their certainty; half a row at the end, of a killed run, is cut off."""
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        begins = ",".join(COLUMNS).encode() if self._as_csv else b'{"image": '
        try:
            if not begins.startswith(data.split(b"\n", 1)[0].rstrip()[: len(begins)]):
                raise ValueError("no row of ours")
            text = whole.decode(errors=self._errors)
            lines = text.split("\n")[:-1]
            rows = csv.DictReader(io.StringIO(text, newline="")) if self._as_csv else map(json.loads, lines)
            done = {row["image"]: Certainty(row["certainty"]) for row in rows}
        except (ValueError, KeyError, TypeError):
            raise click.ClickException(f"{self.path} holds something else than captions; give another --out.") from None
        if whole != data:
            self.path.write_bytes(whole)
        return done


@click.command()
@click.argument("source")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="captions.csv or captions.jsonl.")
@click.option("--library", "key", metavar="NAME", help="Keep them in the library of the API key NAME as well.")
@click.option("--write-metadata", "copies", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Write copies with the description as IPTC alt text into FOLDER.")  # fmt: skip
@click.option("--least-certainty", type=click.Choice(LEAST), default="unknown", show_default=True,
              help="Descriptions below it get no alt text and are listed at the end.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with --out, with the same options; finished photos stay so.")
@click.option("--lang", type=LanguageCode(), default="en", show_default=True, help="Language of the captions.")
@click.option("--style", type=click.Choice(STYLES), default="caption", show_default=True, help="Level of detail.")
@click.option("--read/--no-read", default=True, show_default=True, help="Look for text and codes, too.")
@click.pass_context
def bulk(context: click.Context, source, out, key, copies, least_certainty, resume, lang, style, read) -> None:
    """Describe every photo of SOURCE: a folder, a pattern such as 'photos/**/*.jpg', or a CSV with a column image."""
    print_any_name()
    if out.suffix.lower() not in (".csv", ".jsonl"):
        raise click.ClickException(f"--out is {out}; give a name that ends in .csv or .jsonl.")
    settings = Settings.from_environment()
    photos = photos_of(source)
    captions = Captions(out, resume)
    describer = load_describer(settings.model, settings.precision)
    describer.info.require(lang, style)  # before anything is written
    places = {} if copies is None else places_of(photos, copies)
    least = Certainty(least_certainty).rank
    doubted = {name for name, certainty in captions.done.items() if certainty.rank < least}
    missing = {name for name, place in places.items() if not place.exists() and name not in doubted}
    left = [(name, path) for name, path in photos if name not in captions.done or name in missing]
    bad: list[tuple[str, str]] = []
    doubtful: list[tuple[str, str]] = []
    with (
        open_library(settings) if key is not None else nullcontext() as library,
        tqdm(total=len(photos), initial=len(photos) - len(left), desc=out.name, unit="photo", mininterval=1) as bar,
    ):
        if library and key not in {each.name for each in library.keys.all() if not each.revoked}:
            raise click.ClickException(f"There is no key {key!r} in use; make one by `sightline keys create {key}`.")
        captions.begin()
        for batch in batches(left, settings, bad, bar):
            found = describer.describe_many([photo.image for _, _, photo in batch], lang, style, read)
            for (name, path, photo), description in zip(batch, found, strict=True):
                row = row_of(name, description)
                alt_text = alt_text_of(description)
                if library:
                    record = as_record(photo, description, KEY + key, SILENT, DescribeOptions(lang, style))
                    kept = library.add(record, {"jpg": photo.jpeg})
                    row |= {"certainty": certainty_of(kept), "spoken": spoken_text_of(kept)}
                    if kept.user_description:
                        row["caption"] = alt_text = kept.user_description
                certainty = row["certainty"]
                if certainty.rank < least:
                    doubtful.append((name, f"Its certainty is {certainty}; it got no alt text." if copies else
                                     f"Its certainty is {certainty}."))  # fmt: skip
                elif name in missing:
                    try:
                        write_copy(path, places[name], alt_text, lang)
                    except AltTextError as error:
                        bad.append((name, str(error)))
                elif name in places and not resume:
                    bad.append((name, f"There is a file {places[name]} already, which stays as it is."))
                if name not in captions.done:
                    captions.add(row)
                bar.update()
    captions.close()
    for name, reason in bad + doubtful:
        click.echo(f"{name}: {reason}", err=True)
    below = f", {len(doubtful)} below {least_certainty} certainty" if doubtful else ""
    click.echo(f"{len(photos)} photos, {len(bad)} of them with a problem{below}; captions are in {out}.")
    context.exit(1 if bad else 0)


def alt_text_of(description: Description) -> str:
    """The description with its doubt and the text in the photo; what to do about it is for the one who took it."""
    scene = replace(scene_of(description), cautions=())
    return spoken_text(scene, description.language, description.findings, Telling(detail="short"))


def row_of(name: str, description: Description) -> dict:
    """A row of COLUMNS."""
    caption = description.caption
    return {
        "image": name,
        "caption": caption.text if caption else None,
        "confidence": rounded(caption.confidence) if caption else None,
        "certainty": description.certainty,
        "spoken": description.spoken,
        "language": description.language,
    }


def places_of(photos: list[tuple[str, Path]], folder: Path) -> dict[str, Path]:
    """Where the copy of each photo goes: as it lies in its own folder; where a name leads out of that, as all of them
    lie below the folder that they share. So each has a place of its own, and never outside of `folder`."""
    if any(Path(name).is_absolute() or ".." in Path(name).parts for name, _ in photos):
        shared = Path(os.path.commonpath([path.resolve().parent for _, path in photos]))
        return {name: folder / path.resolve().relative_to(shared) for name, path in photos}
    return {name: folder / name for name, _ in photos}


def photos_of(source: str) -> list[tuple[str, Path]]:
    """Name and file of each photo, in order; names are relative to the folder, or as the CSV has them. Raises
    click.ClickException if there is none."""
    path = Path(source)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        photos = [(file.relative_to(path).as_posix(), file) for file in files]
    elif path.suffix.lower() == ".csv" and path.is_file():
        photos = [(name, path.parent / name) for name in column_of(path)]
    else:
        photos = [(name, Path(name)) for name in sorted(glob.glob(source, recursive=True)) if Path(name).is_file()]
    if not photos:
        raise click.ClickException(f"There is no photo in {source}; give a folder, a pattern in quotes, or a CSV.")
    return photos


def column_of(path: Path) -> list[str]:
    """The column image, each photo once."""
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.DictReader(file)
        if "image" not in (rows.fieldnames or ()):
            raise click.ClickException(f"{path} has no column image; its first line must name the columns.")
        return list(dict.fromkeys(row["image"] for row in rows if row["image"]))


def batches(
    photos: Iterable[tuple[str, Path]], settings: Settings, bad: list[tuple[str, str]], bar: tqdm
) -> Iterator[list[tuple[str, Path, Photo]]]:
    """Photos that can be read, MAX_BATCH at a time, the next ones read while these are described. The others go to
    `bad` with the reason."""

    def read(each: tuple[str, Path]) -> tuple[str, Path, Photo] | PhotoError:
        try:
            photo = open_photo(each[1], max_bytes=settings.max_bytes, max_pixels=settings.max_pixels)
            photo.image.load()
            return *each, photo
        except PhotoError as error:
            return error

    photos = iter(photos)
    with ThreadPoolExecutor(2) as pool:
        coming = [(each, pool.submit(read, each)) for each in islice(photos, 2 * MAX_BATCH)]
        while coming:
            now, coming = coming[:MAX_BATCH], coming[MAX_BATCH:]
            coming += [(each, pool.submit(read, each)) for each in islice(photos, MAX_BATCH)]
            batch = []
            for (name, _), pending in now:
                found = pending.result()
                if isinstance(found, PhotoError):
                    bad.append((name, str(found)))
                    bar.update()
                else:
                    batch.append(found)
            if batch:
                yield batch


if __name__ == "__main__":
    from deploy.cli import main

    main(["bulk", *sys.argv[1:]], prog_name="sightline")
