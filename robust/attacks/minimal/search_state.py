"""What is known so far of the smallest change: the nearest point of each image that fools the model."""

from dataclasses import dataclass, replace

import numpy as np

from robust.attacks import ball
from robust.attacks.iterative import Task
from robust.attacks.minimal.fab import fab_towards
from robust.attacks.slots import ranked
from robust.core.signature import Call
from robust.core.types import AnyNorm
from robust.results.attack_result import AttackResult, fooled

BISECTIONS = 8  # of the segment from an image to the point that fools the model
MIN_ITERATIONS = 16  # iterations of a search along the boundary, at least
# Times the change, for a point so near the boundary that it fools the copy (`Classifier.lean`) but not the model.
FURTHER = (1.01, 1.03, 1.1, 1.3, 2, 4)


@dataclass(frozen=True)
class SearchState:
    """The call, and the nearest point of each image found so far that fools the model, with its distance.

    Nothing here depends on the call's eps, which only censors what was found.
    """

    call: Call
    task: Task
    result: AttackResult
    sizes: np.ndarray  # [N]; infinite where there is none

    @property
    def norm(self) -> AnyNorm:
        """The norm of the distances."""
        return self.call.arguments["norm"]

    @property
    def all_rows(self) -> np.ndarray:
        """The rows of all images."""
        return np.arange(len(self.sizes))

    @property
    def found(self) -> np.ndarray:
        """The rows of the images for which a point is state."""
        return np.flatnonzero(np.isfinite(self.sizes))

    @property
    def box_diameter(self) -> float:
        """The largest norm of any change within [0, 1]."""
        pixels = self.task.images[0].size if len(self.sizes) else 1
        return {"linf": 1.0, "l2": pixels**0.5}.get(self.norm, float(pixels))

    def task_of(self, rows: np.ndarray, start: np.ndarray | None) -> Task:
        """The task of these images only, with these starting points."""
        task = self.task
        targets = None if task.targets is None else task.targets[rows]
        return Task(task.classifier, task.images[rows], task.labels[rows], task.seeds[rows], start, targets)

    def count(self, rows: np.ndarray, found: AttackResult) -> None:
        """Add the passes that a search of these images took."""
        self.result.n_forward[rows] += found.n_forward
        self.result.n_backward[rows] += found.n_backward

    def keep_nearer(self, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Keep the points that fool the model and are nearer than the known ones; returns which of them fool it."""
        if not rows.size:
            return np.zeros(0, bool)
        task = self.task_of(rows, None)
        is_adv = fooled(task.classifier.logits(points).argmax(axis=1), task.labels, task.targets)
        sizes = ball.distances[self.norm](points - task.images)
        taken = np.flatnonzero(is_adv & (sizes < self.sizes[rows]))
        self.result.n_forward[rows] += 1
        self.result.images[rows[taken]], self.sizes[rows[taken]] = points[taken], sizes[taken]
        return is_adv

    def shrunk(self, rows: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """The known points moved towards the images, to these shares of the change."""
        images = self.task.images[rows]
        return images + shares.astype(np.float32)[:, None, None, None] * (self.result.images[rows] - images)

    def bisect(self, rows: np.ndarray) -> None:
        """Bisect the segment from each image to its point, towards the first place found where the model is fooled."""
        rows = rows[np.isfinite(self.sizes[rows])]
        images, change = self.task.images[rows], self.result.images[rows] - self.task.images[rows]
        low, high = np.zeros(len(rows), np.float32), np.ones(len(rows), np.float32)
        for _ in range(BISECTIONS if rows.size else 0):
            middle = (low + high) / 2
            is_adv = self.keep_nearer(rows, images + middle[:, None, None, None] * change)
            low, high = np.where(is_adv, low, middle), np.where(is_adv, middle, high)

    def search_towards(self, classes_to_try: np.ndarray, begin: np.ndarray | None, steps: int) -> None:
        """FAB on all images, each towards one class, [N]."""
        found = self._fab(self.all_rows, classes_to_try, begin, steps, along=False)
        is_adv = self.keep_nearer(self.all_rows, found)
        change = found - self.task.images
        missed = np.flatnonzero(~is_adv & (change != 0).any(axis=(1, 2, 3)))
        for further in FURTHER:
            points = np.clip(self.task.images[missed] + further * change[missed], 0, 1)
            missed = missed[~self.keep_nearer(missed, points)]

    def along_boundary(self, classes: int) -> None:
        """From the known points towards the images, along the boundary of each of the most likely classes there."""
        if not (rows := self.found).size:
            return
        task, steps = self.task_of(rows, None), max(MIN_ITERATIONS, self.call.arguments.get("steps", 0) // 4)
        classes_to_try, passes = ranked(replace(task, images=self.result.images[rows]), classes)
        self.result.n_forward[rows] += passes
        for target in classes_to_try.T:
            self.keep_nearer(rows, self._fab(rows, target, self.result.images[rows], steps, along=True))
        self.bisect(rows)

    def _fab(
        self, rows: np.ndarray, classes_to_try: np.ndarray, begin: np.ndarray | None, steps: int, *, along: bool
    ) -> np.ndarray:
        task = self.task_of(rows, begin)
        found = fab_towards(task, classes_to_try, eps=self.box_diameter, norm=self.norm, steps=steps, along=along)
        self.count(rows, found)
        return found.images
