"use strict";
(() => {
  const mixtures = JSON.parse(document.getElementById("data").textContent);
  const demos = mixtures.filter((mixture) => mixture.is_demo); // the first ones
  const element = (id) => document.getElementById(id);
  const matchLevels = element("match");
  const repeat = element("loop");
  const PICTURE_RATE = 16000;
  const STEP = 0.5; // seconds, of the keys J and L
  let context = null; // made by the first click, because browsers forbid sound before
  let sounding = null; // the Deck that plays
  let current = null; // the player that the keys act on
  let blind = null; // the blind comparison that runs

  // ---- Sound --------------------------------------------------------------------------------

  function bytes(mixture, version) {
    const text = atob(element(`sound-${mixture}-${version}`).textContent);
    return Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer;
  }

  const decoded = new Map();

  function decode(mixture, version) {
    const key = `${mixture} ${version}`;
    if (!decoded.has(key)) {
      const decoder = new OfflineAudioContext(1, 1, PICTURE_RATE);
      decoded.set(key, decoder.decodeAudioData(bytes(mixture, version)));
    }
    return decoded.get(key);
  }

  // Some versions of one mixture, which play together. All but one are mute, so that a change of
  // the version keeps the position to the sample.
  class Deck {
    constructor(mixture, versions, changed) {
      this.mixture = mixture;
      this.versions = versions;
      this.changed = changed;
      this.chosen = 0;
      this.position = 0;
      this.parts = null;
    }

    get seconds() {
      return mixtures[this.mixture].seconds;
    }

    get playing() {
      return this.parts !== null;
    }

    now() {
      if (!this.playing) return this.position;
      const at = this.position + Math.max(0, context.currentTime - this.started);
      return this.repeats ? at % this.seconds : Math.min(at, this.seconds);
    }

    gain(index) {
      if (index !== this.chosen) return 0;
      const matched = matchLevels.checked || this.alwaysMatched;
      const mixture = mixtures[this.mixture];
      return matched ? mixture.versions[this.versions[index]].gain : mixture.gain;
    }

    async play() {
      context = context || new AudioContext();
      if (sounding && sounding !== this) sounding.stop();
      sounding = this;
      await context.resume();
      const buffers = await Promise.all(this.versions.map((v) => decode(this.mixture, v)));
      if (this.playing || sounding !== this) return;
      if (this.position >= this.seconds - 0.02) this.position = 0;
      this.repeats = repeat.checked || this.alwaysRepeats;
      this.started = context.currentTime + 0.03;
      this.parts = buffers.map((buffer, index) => {
        const source = new AudioBufferSourceNode(context, { buffer, loop: this.repeats });
        const volume = new GainNode(context, { gain: this.gain(index) });
        source.connect(volume).connect(context.destination);
        source.start(this.started, this.position);
        return { source, volume };
      });
      this.parts[0].source.onended = () => this.stop();
      this.follow();
    }

    follow() {
      this.changed();
      if (this.playing) requestAnimationFrame(() => this.follow());
    }

    stop() {
      if (!this.playing) return;
      this.position = this.now();
      for (const { source } of this.parts) {
        source.onended = null;
        source.stop();
      }
      this.parts = null;
      this.changed();
    }

    toggle() {
      if (!this.playing) return this.play();
      this.stop();
      return Promise.resolve();
    }

    choose(index) {
      this.chosen = index;
      this.adjust();
      this.changed();
    }

    adjust() {
      if (!this.playing) return;
      this.parts.forEach(({ volume }, index) =>
        volume.gain.setTargetAtTime(this.gain(index), context.currentTime, 0.004));
    }

    seek(seconds) {
      const resume = this.playing;
      this.stop();
      this.position = Math.min(Math.max(0, seconds), this.seconds);
      this.changed();
      return resume ? this.play() : Promise.resolve();
    }
  }

  // ---- Spectrograms -------------------------------------------------------------------------

  // Powers of a real signal of a power of two samples, by the radix-2 FFT.
  function powers(frame) {
    const n = frame.length;
    const re = new Float32Array(n);
    const im = new Float32Array(n);
    for (let i = 0, j = 0; i < n; i++) {
      re[j] = frame[i];
      let bit = n >> 1;
      for (; j & bit; bit >>= 1) j ^= bit;
      j ^= bit;
    }
    for (let size = 2; size <= n; size *= 2) {
      for (let k = 0; k < size / 2; k++) {
        const c = Math.cos((2 * Math.PI * k) / size);
        const s = -Math.sin((2 * Math.PI * k) / size);
        for (let i = k; i < n; i += size) {
          const o = i + size / 2;
          const x = re[o] * c - im[o] * s;
          const y = re[o] * s + im[o] * c;
          re[o] = re[i] - x;
          im[o] = im[i] - y;
          re[i] += x;
          im[i] += y;
        }
      }
    }
    return re.subarray(0, n / 2).map((x, i) => x * x + im[i] * im[i]);
  }

  // Colours from silent to loud.
  const COLOURS = [[0, 0, 4], [40, 17, 89], [114, 31, 129], [183, 55, 121], [241, 96, 93],
    [254, 176, 120], [252, 253, 191]];

  function colour(share) {
    const at = Math.min(Math.max(share, 0), 0.9999) * (COLOURS.length - 1);
    const low = COLOURS[Math.floor(at)];
    const high = COLOURS[Math.floor(at) + 1];
    return low.map((value, i) => value + (high[i] - value) * (at % 1));
  }

  function draw(canvas, sound) {
    const size = 256;
    const hop = 128;
    const wave = sound.getChannelData(0);
    const columns = Math.max(1, Math.floor((wave.length - size) / hop) + 1);
    canvas.width = columns;
    canvas.height = size / 2;
    const picture = canvas.getContext("2d");
    const image = picture.createImageData(columns, size / 2);
    const taper = Float32Array.from({ length: size }, (_, i) => Math.sin((Math.PI * i) / size));
    for (let column = 0; column < columns; column++) {
      const start = column * hop;
      const frame = taper.map((value, i) => value * (wave[start + i] || 0));
      powers(frame).forEach((power, bin) => {
        const decibels = 10 * Math.log10(Math.max(power, 1e-12));
        const [r, g, b] = colour((decibels + 60) / 90);
        image.data.set([r, g, b, 255], 4 * ((size / 2 - 1 - bin) * columns + column));
      });
    }
    picture.putImageData(image, 0, 0);
  }

  // ---- Players ------------------------------------------------------------------------------

  class Player {
    constructor(article) {
      this.article = article;
      const mixture = Number(article.dataset.mixture);
      const find = (selector) => article.querySelector(selector);
      this.button = find(".play");
      this.slider = find(".position");
      this.time = find(".time");
      this.status = find(".status");
      this.radios = [...article.querySelectorAll("input[type=radio]")];
      this.deck = new Deck(mixture, this.radios.map((_, i) => i), () => this.show());
      this.deck.chosen = Math.max(0, this.radios.findIndex((radio) => radio.checked));
      this.button.addEventListener("click", () => this.run(this.deck.toggle()));
      this.slider.addEventListener("input", () => this.run(this.deck.seek(this.slider.valueAsNumber)));
      this.radios.forEach((radio, i) =>
        radio.addEventListener("change", () => this.choose(i)));
      this.canvases = [...article.querySelectorAll("canvas")];
      this.canvases.forEach((canvas, i) => canvas.addEventListener("click", (event) => {
        this.choose(i);
        this.run(this.deck.seek((event.offsetX / canvas.clientWidth) * this.deck.seconds));
      }));
      article.addEventListener("focusin", () => this.take());
      article.addEventListener("pointerdown", () => this.take());
    }

    take() {
      if (current) current.article.classList.remove("current");
      current = this;
      this.article.classList.add("current");
    }

    // Says what failed, because a player without sound explains nothing.
    run(promise) {
      this.take();
      promise.catch((error) => {
        this.status.textContent = `This browser cannot play the sound: ${error.message || error}`;
      });
    }

    choose(index) {
      if (index >= this.radios.length) return;
      this.radios[index].checked = true;
      this.deck.choose(index);
    }

    show() {
      const { deck } = this;
      const now = deck.now();
      const name = mixtures[deck.mixture].name;
      this.article.style.setProperty("--at", now / deck.seconds);
      this.slider.value = now;
      this.slider.setAttribute("aria-valuetext", `${now.toFixed(1)} seconds`);
      this.time.textContent = `${now.toFixed(1)} of ${deck.seconds.toFixed(1)} s`;
      this.button.textContent = deck.playing ? "Stop" : "Play";
      this.button.setAttribute("aria-label", `${deck.playing ? "Stop" : "Play"} ${name}`);
      this.button.setAttribute("data-playing", String(deck.playing));
    }

    async paint() {
      for (const [i, canvas] of this.canvases.entries()) {
        try {
          draw(canvas, await decode(this.deck.mixture, i));
        } catch (error) {
          this.status.textContent = `This browser cannot decode the sound: ${error.message || error}`;
        }
      }
    }
  }

  const players = [...document.querySelectorAll(".player")].map((article) => new Player(article));
  matchLevels.addEventListener("change", () => sounding && sounding.adjust());
  repeat.addEventListener("change", () =>
    sounding && sounding.playing && sounding.seek(sounding.now()));

  // ---- Blind comparison ---------------------------------------------------------------------

  const choices = [element("blind-first"), element("blind-second")];
  const names = mixtures[0].versions.map((version) => version.label);
  choices.forEach((choice) =>
    names.forEach((name, i) => choice.append(new Option(name, String(i)))));
  choices[0].value = String(Math.max(0, names.length > 3 ? 1 : 0));
  choices[1].value = String(Math.min(names.length - 1, Number(choices[0].value) + 1));

  function shuffled(items) {
    const left = [...items];
    return items.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0]);
  }

  class Blind {
    constructor(versions) {
      this.versions = versions;
      this.answers = [];
      this.order = shuffled(demos.map((_, i) => i));
      element("blind-result").textContent = "";
      element("blind-trial").hidden = false;
      this.next();
    }

    next() {
      this.swapped = Math.random() < 0.5;
      const pair = this.swapped ? [...this.versions].reverse() : this.versions;
      this.deck = new Deck(this.order[this.answers.length], pair, () => this.show());
      this.deck.alwaysMatched = true;
      this.deck.alwaysRepeats = true;
      document.querySelector("input[name=blind-version]").checked = true;
      element("blind-progress").textContent =
        `Mixture ${this.answers.length + 1} of ${demos.length}`;
      this.show();
    }

    play() {
      this.deck.toggle().catch((error) => {
        element("blind-progress").textContent = `This browser cannot play the sound: ${error}`;
      });
    }

    choose(index) {
      document.querySelectorAll("input[name=blind-version]")[index].checked = true;
      this.deck.choose(index);
    }

    answer(choice) {
      this.deck.stop();
      this.answers.push(choice < 0 ? null : this.swapped ? 1 - choice : choice);
      if (this.answers.length < demos.length) this.next();
      else this.finish();
    }

    finish() {
      element("blind-trial").hidden = true;
      blind = null;
      const count = (which) => this.answers.filter((answer) => answer === which).length;
      const [first, second] = this.versions.map((version) => names[version]);
      const decided = count(0) + count(1);
      const lines = [
        `${first} was better ${count(0)} times, ${second} ${count(1)} times, ` +
          `${count(null)} times there was no difference.`,
        decided
          ? `If both were equally good, so clear a result would have a probability of ` +
            `${signTest(Math.max(count(0), count(1)), decided).toFixed(3)} (sign test, two-sided).`
          : "",
        ...this.order.map((mixture, i) => `${mixtures[mixture].name}: ` +
          (this.answers[i] === null ? "no difference" : [first, second][this.answers[i]])),
      ];
      element("blind-result").replaceChildren(...lines.filter(Boolean).map((text) => {
        const paragraph = document.createElement("p");
        paragraph.textContent = text;
        return paragraph;
      }));
    }

    show() {
      const button = element("blind-play");
      button.textContent = this.deck.playing ? "Stop" : "Play";
      button.setAttribute("data-playing", String(this.deck.playing));
    }
  }

  // Probability of at least so many of n equal choices for one side, for either side.
  function signTest(most, n) {
    let ways = 1;
    let sum = 0;
    for (let k = 0; k <= n; k++) {
      if (k >= most) sum += ways;
      ways = (ways * (n - k)) / (k + 1);
    }
    return Math.min(1, (2 * sum) / 2 ** n);
  }

  element("blind-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const versions = choices.map((choice) => Number(choice.value));
    if (versions[0] === versions[1]) {
      element("blind-result").textContent = "Choose two different versions.";
      return;
    }
    if (sounding) sounding.stop();
    blind = new Blind(versions);
    element("blind-play").focus();
  });
  element("blind-play").addEventListener("click", () => blind.play());
  document.querySelectorAll("input[name=blind-version]").forEach((radio, i) =>
    radio.addEventListener("change", () => blind.choose(i)));
  document.querySelectorAll("[data-answer]").forEach((button) =>
    button.addEventListener("click", () => blind.answer(Number(button.dataset.answer))));

  // ---- Keys ---------------------------------------------------------------------------------

  function pressed(key, target) {
    if (blind && element("blind").contains(target)) {
      if (key === " ") blind.play();
      else if (key === "a" || key === "b") blind.choose(key === "a" ? 0 : 1);
      else return false;
      return true;
    }
    const player = current || players[0];
    if (key === " ") player.run(player.deck.toggle());
    else if (key === "j" || key === "l") {
      player.run(player.deck.seek(player.deck.now() + (key === "l" ? STEP : -STEP)));
    } else if (/^[1-9]$/.test(key)) {
      player.take();
      player.choose(Number(key) - 1);
    } else return false;
    return true;
  }

  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("select")) return;
    // Space works a button, a link, a summary, a checkbox and the choice of a file.
    const native = target.closest("button, a, summary, input[type=checkbox], input[type=file]");
    if (event.key === " " && (native || (target === document.body && !current))) return;
    if (pressed(event.key.toLowerCase(), target)) event.preventDefault();
  });

  // After the first paint. Decoding takes a moment.
  requestAnimationFrame(() => setTimeout(async () => {
    for (const player of players) await player.paint();
    document.documentElement.dataset.painted = "true";
  }));
})();
