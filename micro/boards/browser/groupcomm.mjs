// A network of `groupcomm compile --target wasm` in JavaScript, and the AudioWorklet around it.
//
//   import { GroupComm } from "./groupcomm.mjs";
//   const network = new GroupComm(bytes); // of NAME.wasm
//   const heard = network.process(hop); // Int16Array (hop) to Int16Array (sources * hop)
//
// The same file is the module of the worklet: `await context.audioWorklet.addModule(url)`, then
// `new AudioWorkletNode(context, "groupcomm", { outputChannelCount: [sources] })`. The page posts
// { bytes } to it, and later { strength }, { bypass }, { record } and { stop }. The worklet posts
// { ready }, { meters } and { error }.

export class GroupComm {
  constructor(bytes) {
    const module = new WebAssembly.Module(bytes);
    this.c = new WebAssembly.Instance(module, { env: { powf: Math.pow } }).exports;
    const { memory, groupcomm_sizes: sizes } = this.c;
    [this.sampleRate, this.hop, this.sources, this.inputs, this.outputs] = new Int32Array(
      memory.buffer, sizes.value, 5);
    this.state = this.c.groupcomm_begin();
    if (this.state === 0) throw new Error("the network cannot start");
    const view = (Type, at, count) => new Type(memory.buffer, at.value, count);
    this.in = view(Int16Array, this.c.groupcomm_in, this.hop);
    this.out = view(Int16Array, this.c.groupcomm_out, this.sources * this.hop);
    this.given = view(Int8Array, this.c.groupcomm_given, this.inputs);
    this.found = view(Int8Array, this.c.groupcomm_found, this.outputs);
    // By how many samples the output lies behind the input.
    this.latency = this.c.groupcomm_latency(this.state);
  }

  // Processes one hop (hop) and returns (sources * hop), which is valid until the next call.
  process(hop) {
    this.in.set(hop);
    const { in: given, out } = this;
    this.check(this.c.groupcomm_process(this.state, given.byteOffset, out.byteOffset));
    return out;
  }

  // Runs the network alone: quantized features (inputs) to masks (outputs), as golden vectors are.
  run(features) {
    this.given.set(features);
    const { given, found } = this;
    this.check(this.c.groupcomm_run_network(this.state, given.byteOffset, found.byteOffset));
    return found;
  }

  reset() {
    this.check(this.c.groupcomm_reset(this.state));
  }

  // 1: the output of the network; 0: its delayed input. Between them, a sound is attenuated to
  // 1 - strength at most.
  setStrength(strength) {
    const limit = -20 * Math.log10(1 - strength);
    this.check(this.c.groupcomm_set_attenuation_limit(this.state, limit));
  }

  setBypass(on) {
    this.c.groupcomm_set_bypass(this.state, on ? 1 : 0);
  }

  check(status) {
    if (status !== 0) throw new Error(`the network failed with status ${status}`);
  }
}

const CROSSINGS = 24; // zero crossings of the sinc on each side, at the lower rate
const CUTOFF = 0.92; // of the lower Nyquist frequency, where the filter has half of the amplitude
const BETA = 6; // of the Kaiser window: aliases are 60 dB down

// The modified Bessel function of order 0.
function bessel(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-9 * sum; k++) sum += term *= (x / (2 * k)) ** 2;
  return sum;
}

function divisor(a, b) {
  return b === 0 ? a : divisor(b, a % b);
}

// Changes the sample rate of a stream, by a windowed sinc in as many phases as the rates need.
// Output n belongs to the time of input n * from / to, exactly; it comes `wait` inputs later.
export class Resampler {
  constructor(from, to) {
    const common = divisor(from, to);
    this.phases = to / common;
    this.step = from / common;
    const width = CROSSINGS * Math.max(1, from / to); // inputs
    this.wait = Math.ceil(width);
    this.taps = 2 * this.wait;
    this.table = new Float32Array(this.phases * this.taps);
    const cutoff = CUTOFF * Math.min(1, to / from); // of the Nyquist frequency of the input
    for (let phase = 0; phase < this.phases; phase++) {
      const row = this.table.subarray(phase * this.taps, (phase + 1) * this.taps);
      let sum = 0;
      for (let i = 0; i < this.taps; i++) {
        const t = i - this.wait + 1 - phase / this.phases;
        const inside = 1 - (t / width) ** 2;
        const angle = Math.PI * cutoff * t;
        const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
        row[i] = inside > 0 ? sinc * bessel(BETA * Math.sqrt(inside)) : 0;
        sum += row[i];
      }
      for (let i = 0; i < this.taps; i++) row[i] /= sum;
    }
    this.waiting = new Float32Array(this.taps);
    this.count = this.wait - 1; // zeros that precede the stream
    this.phase = 0;
  }

  // Takes samples and passes every sample that they complete to `give`.
  push(samples, give) {
    if (this.count + samples.length > this.waiting.length) {
      const larger = new Float32Array(this.count + samples.length);
      larger.set(this.waiting.subarray(0, this.count));
      this.waiting = larger;
    }
    this.waiting.set(samples, this.count);
    this.count += samples.length;
    let first = 0;
    while (first + this.taps <= this.count) {
      const row = this.phase * this.taps;
      let sum = 0;
      for (let i = 0; i < this.taps; i++) sum += this.table[row + i] * this.waiting[first + i];
      give(sum);
      const at = this.phase + this.step;
      first += Math.floor(at / this.phases);
      this.phase = at % this.phases;
    }
    first = Math.min(first, this.count);
    this.waiting.copyWithin(0, first, this.count);
    this.count -= first;
  }
}

const FULL = 32768; // the PCM value of 1

// A network for floats at any sample rate, in blocks of one length.
export class Stream {
  constructor(network, rate, block) {
    this.network = network;
    const { hop, sampleRate, sources, latency } = network;
    const same = rate === sampleRate;
    this.down = same ? null : new Resampler(rate, sampleRate);
    this.up = [...Array(sources)].map(() => (same ? null : new Resampler(sampleRate, rate)));
    this.hop = new Int16Array(hop);
    this.filled = 0;
    this.one = new Float32Array(hop);
    // So many zeros come first that no block waits for a hop that is not complete.
    const zeros = same
      ? hop - divisor(hop, block)
      : Math.ceil(this.down.wait + ((hop + this.up[0].wait + 2) * rate) / sampleRate);
    this.delay = zeros + (latency * rate) / sampleRate; // frames
    const room = zeros + 2 * block + Math.ceil((4 * hop * rate) / sampleRate);
    this.ready = this.up.map(() => new Float32Array(room));
    this.counts = this.up.map(() => zeros);
  }

  // Takes a block (block) and fills one block for each source. Returns whether all were complete.
  process(samples, sources) {
    if (this.down) this.down.push(samples, (sample) => this.take(sample));
    else for (const sample of samples) this.take(sample);
    let complete = true;
    sources.forEach((output, i) => {
      const count = Math.min(output.length, this.counts[i]);
      output.set(this.ready[i].subarray(0, count));
      this.ready[i].copyWithin(0, count, this.counts[i]);
      this.counts[i] -= count;
      complete = complete && count === output.length;
    });
    return complete;
  }

  take(sample) {
    const pcm = Math.round(sample * FULL);
    this.hop[this.filled++] = Math.max(-FULL, Math.min(FULL - 1, pcm));
    if (this.filled < this.hop.length) return;
    this.filled = 0;
    const out = this.network.process(this.hop);
    this.up.forEach((up, i) => {
      const give = (value) => {
        this.ready[i][this.counts[i]++] = value;
      };
      for (let n = 0; n < this.one.length; n++) this.one[n] = out[i * this.one.length + n] / FULL;
      if (up) up.push(this.one, give);
      else this.one.forEach(give);
    });
  }
}

// ---- The worklet ------------------------------------------------------------------------------

if (globalThis.registerProcessor) {
  const PERIOD = 0.25; // seconds between two messages to the page
  const STALL = 20; // ms that sound has to fall behind the clock, to count as an underrun
  const now = () => (globalThis.performance || Date).now();

  class Processor extends AudioWorkletProcessor {
    constructor() {
      super();
      this.stream = null;
      this.running = true;
      this.record = false;
      this.calls = 0;
      this.underruns = 0;
      this.lag = { before: Infinity, now: Infinity };
      this.clear();
      this.port.onmessage = ({ data }) => this.attempt(() => this.receive(data));
      this.port.onmessageerror = () => this.fail("a message did not reach the audio thread");
    }

    clear() {
      this.busy = 0;
      this.frames = 0;
      this.energy = [0, 0];
      this.recorded = [];
    }

    attempt(work) {
      try {
        work();
      } catch (error) {
        this.fail(error.message || String(error));
      }
    }

    fail(error) {
      this.stream = null;
      this.port.postMessage({ error });
    }

    receive(message) {
      if (message.bytes) {
        this.network = new GroupComm(message.bytes);
        this.stream = new Stream(this.network, sampleRate, globalThis.renderQuantumSize || 128);
        const { delay } = this.stream;
        this.port.postMessage({ ready: { delay, sources: this.network.sources } });
      }
      if ("strength" in message) this.network.setStrength(message.strength);
      if ("bypass" in message) this.network.setBypass(message.bypass);
      if ("record" in message) this.record = message.record;
      if (message.stop) this.running = false;
    }

    process([channels], [outputs]) {
      const began = now();
      const frames = outputs[0].length;
      const mono = new Float32Array(frames); // silence while nothing is connected
      for (const channel of channels) {
        for (let n = 0; n < frames; n++) mono[n] += channel[n] / channels.length;
      }
      this.calls++;
      if (this.stream) {
        this.attempt(() => {
          if (!this.stream.process(mono, outputs)) this.underruns++;
        });
        this.measure(began, mono, outputs);
      }
      return this.running;
    }

    measure(began, mono, outputs) {
      const energy = (samples) => samples.reduce((sum, value) => sum + value * value, 0);
      this.energy[0] += energy(mono);
      this.energy[1] += energy(outputs[0]);
      this.frames += mono.length;
      this.lag.now = Math.min(this.lag.now, began - 1000 * currentTime);
      if (this.record) this.recorded.push(outputs.map((output) => output.slice()));
      this.busy += now() - began;
      if (this.frames < PERIOD * sampleRate) return;
      // Where the device had no sound to play, the time of the sound falls behind the clock.
      if (this.lag.now > this.lag.before + STALL) this.underruns++;
      this.lag = { before: this.lag.now, now: Infinity };
      const decibels = this.energy.map((sum) => 10 * Math.log10(sum / this.frames + 1e-12));
      const load = this.busy / 1000 / (this.frames / sampleRate);
      const { calls, underruns, recorded } = this;
      this.port.postMessage({ meters: { calls, underruns, load, decibels, recorded } });
      this.clear();
    }
  }

  registerProcessor("groupcomm", Processor);
}
