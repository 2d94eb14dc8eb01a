"use strict";
// Live sound: a microphone or a file through the network, which is WebAssembly, in an AudioWorklet.
(() => {
  const element = (id) => document.getElementById(id);
  if (!element("live-code")) return;
  const { name, rate, sources } = element("live-code").dataset;
  const RATE = Number(rate);
  const SOURCES = Number(sources);
  const MOST = 600; // seconds of a microphone that are kept for the download
  const PATIENCE = 5000; // ms without an answer of the audio thread, after which it is given up
  const BATCH = 4096; // frames that are rendered beyond the end of a file, for the delay
  let session = null; // what sounds
  let result = null; // a function that returns what Download saves

  // ---- The worklet --------------------------------------------------------------------------

  // Bytes and not a WebAssembly.Module: some browsers drop a message with a module.
  function bytes() {
    const text = atob(element("live-code").textContent);
    return Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer;
  }

  function settings() {
    return { strength: element("live-strength").valueAsNumber / 100,
      bypass: element("live-bypass").checked };
  }

  // Returns the node of the network and its delay in frames. It tells `meters` and `failed` later.
  async function network(context, meters, failed) {
    // A page of file:// may not load a module from a blob.
    const program = encodeURIComponent(element("live-program").textContent);
    await context.audioWorklet.addModule(`data:text/javascript;charset=utf-8,${program}`);
    const node = new AudioWorkletNode(context, "groupcomm", { outputChannelCount: [SOURCES] });
    const ready = await new Promise((resolve, reject) => {
      const fail = (message) => {
        reject(new Error(message));
        failed(message);
      };
      node.port.onmessage = ({ data }) => {
        if (data.ready) resolve(data.ready);
        if (data.meters) meters(data.meters);
        if (data.error) fail(data.error);
      };
      node.port.onmessageerror = () => fail("a message of the audio thread cannot be read");
      node.onprocessorerror = () => fail("the audio thread ended");
      setTimeout(() => reject(new Error("the audio thread does not answer")), PATIENCE);
      node.port.postMessage({ bytes: bytes(), ...settings() });
    });
    return { node, delay: ready.delay };
  }

  // ---- Sound that plays ---------------------------------------------------------------------

  class Session {
    constructor() {
      this.context = new AudioContext({ latencyHint: "interactive" });
      this.recorded = [];
      this.frames = 0;
      this.load = null;
      this.calls = 0;
      this.heard = Date.now();
    }

    async start(open) {
      const { context } = this;
      await context.resume();
      this.source = await open(context, this);
      const made = await network(context, (found) => this.meter(found), (why) => this.fail(why));
      this.node = made.node;
      this.delay = made.delay;
      if (session !== this) return this.close();
      this.source.connect(this.node).connect(context.destination);
      if (this.tracks) this.node.port.postMessage({ record: true });
      this.heard = Date.now();
      this.watch = setInterval(() => this.check(), 1000);
      return undefined;
    }

    meter({ calls, underruns, load, decibels, recorded }) {
      if (calls > this.calls) this.heard = Date.now();
      this.calls = calls;
      this.load = this.load === null ? load : 0.8 * this.load + 0.2 * load;
      for (const block of recorded) {
        this.recorded.push(block);
        this.frames += block[0].length;
      }
      const { context } = this;
      if (this.frames > MOST * context.sampleRate) this.node.port.postMessage({ record: false });
      const device = 1000 * (context.baseLatency + (context.outputLatency || 0));
      const own = (1000 * this.delay) / context.sampleRate;
      show("live-before", `${decibels[0].toFixed(0)} dBFS`, decibels[0]);
      show("live-after", `${decibels[1].toFixed(0)} dBFS`, decibels[1]);
      show("live-load", `${(100 * this.load).toFixed(0)} % of the time`);
      show("live-underruns", String(underruns));
      show("live-latency", `${(own + device).toFixed(0)} ms: network and resampling ` +
        `${own.toFixed(1)} ms, browser ${device.toFixed(0)} ms`);
      show("live-rate", `${context.sampleRate} Hz`);
    }

    // A worklet that does nothing reports nothing, so its silence has to be noticed here.
    check() {
      if (Date.now() - this.heard < PATIENCE) return;
      this.fail(this.context.state === "running" ? "the audio thread has stopped"
        : `the browser does not play sound (${this.context.state})`);
    }

    fail(message) {
      if (session !== this) return;  // another one has replaced it
      say(`Live sound failed: ${message}.`);
      stop();
    }

    close() {
      clearInterval(this.watch);
      if (this.node) this.node.port.postMessage({ stop: true });
      for (const track of this.tracks || []) track.stop();
      if (this.context.state !== "closed") this.context.close();
    }
  }

  function show(id, text, level) {
    element(id).textContent = text;
    if (level !== undefined) element(`${id}-meter`).value = level;
  }

  function say(text) {
    element("live-status").textContent = text;
  }

  function stop() {
    if (session) session.close();
    session = null;
    element("live-stop").disabled = true;
    element("live-microphone").setAttribute("data-playing", "false");
  }

  async function start(what, open) {
    stop();
    say("");
    const own = new Session();
    session = own;
    element("live-source").textContent = what;
    try {
      await own.start(open);
      element("live-stop").disabled = session !== own;
      element("live-download").disabled = false;
    } catch (error) {
      own.fail(error.message || String(error));
    }
  }

  function microphone() {
    result = null;
    return start("microphone", async (context, own) => {
      element("live-microphone").setAttribute("data-playing", "true");
      if (!navigator.mediaDevices) {
        throw new Error("this page may not use a microphone; open it by groupcomm demo --serve");
      }
      const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      const stream = await navigator.mediaDevices.getUserMedia({ audio });
      own.tracks = stream.getTracks();
      own.tracks[0].onended = () => own.fail("the microphone is gone");
      result = () => recording(own);
      return new MediaStreamAudioSourceNode(context, { mediaStream: stream });
    });
  }

  function play(file) {
    result = null;
    return start(file.name, async (context) => {
      const given = await file.arrayBuffer();
      const decode = (into) => into.decodeAudioData(given.slice()).catch(() => {
        throw new Error(`this browser cannot decode ${file.name}`);
      });
      const buffer = await decode(context);
      result = async () => render(samples(given) || await decode(
        new OfflineAudioContext(1, 1, RATE)), file.name);
      const source = new AudioBufferSourceNode(context, { buffer, loop: true });
      source.start();
      return source;
    });
  }

  // ---- The result ---------------------------------------------------------------------------

  function recording(own) {
    const channels = Array.from({ length: SOURCES }, (_, i) => {
      const whole = new Float32Array(own.frames);
      let at = 0;
      for (const block of own.recorded) {
        whole.set(block[i], at);
        at += block[i].length;
      }
      return whole;
    });
    return { channels, rate: own.context.sampleRate, file: `microphone_${name}.wav` };
  }

  // Returns the exact samples of a WAV file of 16-bit PCM at the rate of the network, else null.
  // Chromium decodes positive samples as x / 32767, which is another step for loud ones.
  function samples(given) {
    const view = new DataView(given);
    const text = (at) => String.fromCharCode(...new Uint8Array(given, at, 4));
    if (given.byteLength < 12 || text(0) !== "RIFF" || text(8) !== "WAVE") return null;
    let channels = 0;
    for (let at = 12, size = 0; at + 8 <= given.byteLength; at += 8 + size + (size % 2)) {
      size = view.getUint32(at + 4, true);
      const end = at + 8 + size;
      if (text(at) === "fmt " && size >= 16 && end <= given.byteLength) {
        const pcm = view.getUint16(at + 8, true) === 1 && view.getUint16(at + 22, true) === 16;
        channels = pcm && view.getUint32(at + 12, true) === RATE ? view.getUint16(at + 10, true) : 0;
      } else if (text(at) === "data") {
        const length = Math.floor((Math.min(end, given.byteLength) - at - 8) / (2 * channels));
        if (channels === 0 || length === 0) return null;
        const sound = new AudioBuffer({ length, numberOfChannels: channels, sampleRate: RATE });
        for (let i = 0; i < channels; i++) {
          const channel = sound.getChannelData(i);
          for (let n = 0; n < length; n++) {
            channel[n] = view.getInt16(at + 8 + 2 * (n * channels + i), true) / 32768;
          }
        }
        return sound;
      }
    }
    return null;
  }

  // The whole file at the rate of the network, so that nothing is resampled twice. The result is
  // as long as the file, and aligned with it.
  async function render(sound, file) {
    const context = new OfflineAudioContext(SOURCES, sound.length + BATCH, RATE);
    let failure = null;
    const { node, delay } = await network(context, () => {}, (why) => { failure = why; });
    const source = new AudioBufferSourceNode(context, { buffer: sound });
    source.connect(node).connect(context.destination);
    source.start();
    const rendered = await context.startRendering();
    if (failure) throw new Error(failure);
    const channels = Array.from({ length: SOURCES }, (_, i) =>
      rendered.getChannelData(i).subarray(delay, delay + sound.length));
    return { channels, rate: RATE, file: `${file.replace(/\.[^.]*$/, "")}_${name}.wav` };
  }

  // 16-bit PCM.
  function wav({ channels, rate: frequency }) {
    const frames = channels[0].length;
    const width = 2 * channels.length;
    const view = new DataView(new ArrayBuffer(44 + width * frames));
    const text = (at, letters) =>
      [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
    text(0, "RIFF");
    view.setUint32(4, 36 + width * frames, true);
    text(8, "WAVEfmt ");
    view.setUint32(16, 16, true);
    view.setUint16(20, 1, true);
    view.setUint16(22, channels.length, true);
    view.setUint32(24, frequency, true);
    view.setUint32(28, width * frequency, true);
    view.setUint16(32, width, true);
    view.setUint16(34, 16, true);
    text(36, "data");
    view.setUint32(40, width * frames, true);
    channels.forEach((samples, i) => samples.forEach((sample, n) => {
      const pcm = Math.max(-32768, Math.min(32767, Math.round(32768 * sample)));
      view.setInt16(44 + width * n + 2 * i, pcm, true);
    }));
    return view.buffer;
  }

  async function download() {
    try {
      const found = await result();
      if (found.channels[0].length === 0) throw new Error("nothing was heard so far");
      const url = URL.createObjectURL(new Blob([wav(found)], { type: "audio/wav" }));
      Object.assign(document.createElement("a"), { href: url, download: found.file }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60000);
      say("");
    } catch (error) {
      say(`No download: ${error.message || error}.`);
    }
  }

  // ---- Controls -----------------------------------------------------------------------------

  function change() {
    const { strength } = settings();
    element("live-limit").textContent = strength === 1 ? "100 %: no limit"
      : `${(100 * strength).toFixed(0)} %: attenuates by at most ` +
        `${(-20 * Math.log10(1 - strength) + 0).toFixed(1)} dB`;
    if (session && session.node) session.node.port.postMessage(settings());
  }

  element("live-microphone").addEventListener("click", microphone);
  element("live-stop").addEventListener("click", stop);
  element("live-download").addEventListener("click", download);
  element("live-file").addEventListener("change", ({ target }) => {
    if (target.files.length) play(target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  });
  element("live-strength").addEventListener("input", change);
  element("live-bypass").addEventListener("change", change);
  const drop = element("live-drop");
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) play(event.dataTransfer.files[0]);
  });
  change();
})();
