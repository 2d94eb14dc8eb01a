"""Synthesize the speech of more speakers, for training only.

The voices of Festival and Flite come from real speakers: each is made of the diphones or a model of
one speaker. They speak random syllables, which the letter-to-sound rules of every language accept,
so that no text is needed. A separation network depends on the voices and not on the words.
"""

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration_data.sources import Entry
from groupcomm.errors import UserError
from groupcomm.files import scratch_folder

SENTENCES = 150  # per voice; these take seven to ten minutes
ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "tr", "st", "pl", "")
NUCLEI = ("a", "e", "i", "o", "u")
CODAS = ("", "", "", "n", "r", "s", "l", "m")


@dataclass(frozen=True)
class Voice:
    """Describe a voice.

    Attributes
    ----------
    program : str
        Program that speaks with it: "festival" or "flite".
    voice : str
        Its name in the program.
    package : str
        Debian package that contains it.
    lang : str
        Language code.
    sex : str
        "F" or "M".
    """

    program: str
    voice: str
    package: str
    lang: str
    sex: str


VOICES = {
    "synthetic_lp": Voice("festival", "lp_diphone", "festvox-italp16k", "it", "F"),
    "synthetic_pc": Voice("festival", "pc_diphone", "festvox-itapc16k", "it", "M"),
    "synthetic_lj": Voice("festival", "suo_fi_lj_diphone", "festvox-suopuhe-lj", "fi", "F"),
    "synthetic_mv": Voice("festival", "hy_fi_mv_diphone", "festvox-suopuhe-mv", "fi", "M"),
    "synthetic_dita": Voice("festival", "czech_dita", "festvox-czech-dita", "cs", "F"),
    "synthetic_krb": Voice("festival", "czech_krb", "festvox-czech-krb", "cs", "M"),
    "synthetic_machac": Voice("festival", "czech_machac", "festvox-czech-machac", "cs", "M"),
    "synthetic_ph": Voice("festival", "czech_ph", "festvox-czech-ph", "cs", "M"),
    "synthetic_kal": Voice("festival", "kal_diphone", "festvox-kallpc16k", "en", "M"),
    "synthetic_ked": Voice("festival", "ked_diphone", "festvox-kdlpc16k", "en", "M"),
    "synthetic_slt": Voice("festival", "cmu_us_slt_arctic_hts", "festvox-us-slt-hts", "en", "F"),
    "synthetic_ona": Voice("festival", "upc_ca_ona_hts", "festvox-ca-ona-hts", "ca", "F"),
    "synthetic_awb": Voice("flite", "awb", "flite", "en", "M"),
    "synthetic_rms": Voice("flite", "rms", "flite", "en", "M"),
}


def require() -> None:
    """Check that the programs and the voices are installed.

    Raises
    ------
    UserError
        When one of them is not; the message has the command that installs all of them.
    """
    packages = sorted({"festival", "flite"} | {v.package for v in VOICES.values()})
    query = ["dpkg-query", "-W", "-f=${Package} ${db:Status-Status}\n", *packages]
    try:
        installed = subprocess.run(query, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise UserError(
            "synthetic voices: dpkg-query is not installed; "
            "the voices are Debian packages, so build this corpus on Debian"
        ) from None
    missing = sorted(
        set(packages)
        - {line.split()[0] for line in installed.splitlines() if line.endswith(" installed")}
    )
    if missing:
        raise UserError(
            f"voices of {', '.join(missing)}: not installed; as root: "
            f"apt-get install --no-install-recommends {' '.join(packages)}"
        )


def sentences(name: str) -> list[str]:
    """Return the random sentences of a voice; they depend on the name only.

    Parameters
    ----------
    name : str
        Name of the voice in `VOICES`.

    Returns
    -------
    list of str
    """
    return random_sentences(name, SENTENCES, (ONSETS, NUCLEI, CODAS))


def random_sentences(name: str, count: int, syllable: tuple[tuple[str, ...], ...]) -> list[str]:
    """Return sentences of random syllables; they depend on the arguments only.

    Parameters
    ----------
    name : str
        Any name.
    count : int
        Number of sentences.
    syllable : tuple of tuple of str
        Choices for the parts of a syllable.

    Returns
    -------
    list of str
    """
    rng = np.random.default_rng(np.random.SeedSequence([*name.encode()]))

    def word():
        return "".join(rng.choice(part) for _ in range(rng.integers(1, 4)) for part in syllable)

    return [" ".join(word() for _ in range(rng.integers(5, 11))) for _ in range(count)]


def fingerprint() -> bytes:
    """Return a description of all voices and their sentences, to detect changes.

    Returns
    -------
    bytes
    """
    return repr([(name, voice, sentences(name)) for name, voice in VOICES.items()]).encode()


def synthesize(name: str, check: Callable[[], None]) -> Iterator[tuple[str, bytes, Entry]]:
    """Yield the path, the content and the entry of every sentence of a voice.

    Parameters
    ----------
    name : str
        Name of the voice in `VOICES`.
    check : callable
        Function without arguments that is called regularly (see `calibration_data.building.build`).

    Yields
    ------
    path : str
        Name of the sound.
    data : bytes
        Content of a WAV file.
    entry : Entry
        Its properties.

    Raises
    ------
    UserError
        When the program fails or writes no sound.
    """
    voice = VOICES[name]
    entry = Entry("train", voice.package, speaker=name, lang=voice.lang)
    with scratch_folder() as folder:
        files = [(text, folder / f"{i:03d}.wav") for i, text in enumerate(sentences(name))]
        for command in _commands(voice, files, folder):
            with subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as process:
                try:
                    while process.poll() is None:
                        check()
                        time.sleep(0.05)
                finally:
                    process.kill()
            if process.returncode:
                error = f"{voice.program}, voice {voice.voice}: exit code {process.returncode}"
                raise UserError(
                    f"{error}; free space in {folder}, or install {voice.package} again"
                )
        for _, wav in files:
            if not wav.exists():
                raise UserError(
                    f"{voice.program}, voice {voice.voice}: wrote no sound; "
                    f"install {voice.package} again"
                )
            yield f"{name}/{wav.name}", wav.read_bytes(), entry


def _commands(voice: Voice, files: list[tuple[str, Path]], folder: Path) -> list[list[str]]:
    """Return the commands that synthesize all sentences.

    Flite takes one sentence per command. Festival, which starts slowly, takes a script.
    """
    if voice.program == "flite":
        return [["flite", "-voice", voice.voice, "-t", text, "-o", str(wav)] for text, wav in files]
    script = folder / "say.scm"
    lines = [
        f'(utt.save.wave (utt.synth (Utterance Text "{text}")) "{wav}" (quote riff))'
        for text, wav in files
    ]
    script.write_text("\n".join([f"(voice_{voice.voice})", *lines, ""]))
    return [["festival", "-b", str(script)]]
