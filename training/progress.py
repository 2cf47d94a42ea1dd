"""The numbers of a training run: one JSON object a line, and a curve of each."""

import json
from pathlib import Path

from training.files import writing


class ProgressLog:
    """A file with one JSON object a line: `epoch`, `step` and the numbers measured there."""

    def __init__(self, file: Path):
        self.file = file

    def write(self, row: dict) -> None:
        with writing(self.file), self.file.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def __len__(self) -> int:
        return len(self._lines())

    def truncate(self, count: int) -> None:
        """Keep the first `count` rows."""
        if self.file.exists():
            self.file.write_text("".join(self._lines()[:count]))

    def rows(self) -> list[dict]:
        return [json.loads(line) for line in self._lines()]

    def plot(self, image: Path) -> None:
        """The loss and every dev number against the step, as PNG."""
        rows = self.rows()
        names = [n for n in dict.fromkeys(k for row in rows for k in row) if n not in ("epoch", "step")]
        if not names:
            return
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(
            1, len(names), figsize=(3.4 * len(names), 3), squeeze=False, layout="constrained"
        )
        for name, axis in zip(names, axes[0]):
            points = [(row["step"], row[name]) for row in rows if name in row]
            axis.plot(*zip(*points))
            axis.set(title=name, xlabel="step")
        with writing(image):
            figure.savefig(image, dpi=100)
        pyplot.close(figure)

    def _lines(self) -> list[str]:
        return self.file.read_text().splitlines(keepends=True) if self.file.exists() else []
