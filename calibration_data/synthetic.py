"""Former name of `calibration_data.procedural.spectrum`."""

import sys

from calibration_data.procedural import spectrum

sys.modules[__name__] = spectrum
