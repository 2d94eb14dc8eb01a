"""All baselines."""

from convert.measure.baselines import deepfilternet, dtln, gtcrn, nsnet2, rnnoise, speex
from convert.measure.baselines.baseline import Baseline

BASELINES = (
    Baseline("Speex", speex.load, None, None, 32),
    Baseline("RNNoise (2018)", rnnoise.load_2018, 87_503, 8_695_200, 20),
    Baseline("RNNoise 0.2", rnnoise.load_0_2, 2_888_225, 288_076_800, 30),
    Baseline("NSNet2", nsnet2.load, 2_687_561, 268_100_000, 20),
    Baseline("GTCRN", gtcrn.load, 48_210, 31_061_000, 32),
    Baseline("DTLN", dtln.load, 987_777, 122_960_000, 32),
    Baseline("DeepFilterNet 3", deepfilternet.load, 2_134_638, 330_764_800, 40),
)
