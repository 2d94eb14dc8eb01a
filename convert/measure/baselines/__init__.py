"""Enhancers of other projects, run from their registry packages on the mixtures of this project.

A baseline processes a mixture block by block as on a device, or whole where its graph keeps no
state from call to call. Its delay is removed before it is scored: the median of the peaks of the
cross-correlation with the clean speech.
"""

from convert.measure.baselines.alignment import SLACK, aligned, delay, delay_of
from convert.measure.baselines.baseline import Baseline, BaselineUnavailable
from convert.measure.baselines.comparison import compare
from convert.measure.baselines.systems import BASELINES

INSTALL = "pip install --no-deps -r convert/baselines.txt"

__all__ = [
    "BASELINES",
    "INSTALL",
    "SLACK",
    "Baseline",
    "BaselineUnavailable",
    "aligned",
    "compare",
    "delay",
    "delay_of",
]
