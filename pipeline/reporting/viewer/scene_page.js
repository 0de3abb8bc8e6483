// The interactive scene of a report: one view from the film's camera, one from elsewhere, and a slider for each scale.
"use strict";

const PICTURE_MS = 40; // wanted from picture to picture while something is dragged
const LEAST_QUALITY = 0.3;
const START = { yaw: 0.6, pitch: 0.4, zoom: 0.72 };

class ScenePage {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.placement = new Placement(data);
    this.judge = new ScaleScore(data.scales);
    this.objects = data.objects;
    this.suggested = data.scales.samples[0].slice();
    this.state = { frame: data.start, scales: this.suggested.slice(), ...START, playing: false, film: false };
    this.shown = data.objects.map(() => true);
    this.quality = 0.5; // of a side of the pictures while something moves
    this.find = (name) => root.querySelector(`[data-part="${name}"]`);
    this.canvas = this.find("canvas");
    this.view = splatView(this.canvas, data.objects);
    this.films = data.film.map((address) => Object.assign(new Image(), { src: address, onload: () => this.ask() }));
    this.base = this.outsideBase();
    this.controls();
    this.gestures();
    addEventListener("resize", () => this.ask());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.ask());
    this.change({});
    setTimeout(() => {
      this.map = new ScaleMap(this);
      this.map.paint();
    });
  }

  // What the view from elsewhere turns about: the moving things in the middle of the film, seen from its camera.
  outsideBase() {
    const t = this.data.start, camera = this.placement.camera(t);
    const centres = this.objects.slice(1).map((_, n) => this.placement.worldFromObject(n + 1, t, this.suggested[n + 1]));
    const eye = [camera[12], camera[13], camera[14]], forward = [camera[8], camera[9], camera[10]];
    const known = centres.filter(Boolean).map((pose) => plus([pose[12], pose[13], pose[14]], eye, -1));
    const ahead = known.map((way) => way.reduce((sum, value, n) => sum + value * forward[n], 0));
    const depth = ahead.length ? ahead.reduce((a, b) => a + b) / ahead.length : this.data.depth;
    return { eye, camera, depth: Math.max(depth, 1e-3), about: plus(eye, forward, depth) };
  }

  outside() {
    const { camera, depth, about } = this.base, { yaw, pitch, zoom } = this.state;
    const [right, down, forward] = [0, 4, 8].map((n) => [camera[n], camera[n + 1], camera[n + 2]]);
    const back = [Math.sin(yaw) * Math.cos(pitch), -Math.sin(pitch), -Math.cos(yaw) * Math.cos(pitch)];
    const way = plus(plus(right.map((value) => value * back[0]), down, back[1]), forward, back[2]);
    return lookingAt(plus(about, way, depth / zoom), about, down);
  }

  // ---- what is drawn ----

  ask() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = 0;
      this.paint();
    });
  }

  paint() {
    const started = performance.now();
    this.fit();
    for (const [name, pose] of [["camera", this.placement.camera(this.state.frame)], ["outside", this.outside()]]) {
      const box = this.box(name);
      if (name === "camera" && this.rests()) continue;
      this.view.draw(box, this.intrinsics(box), this.seenFrom(pose));
    }
    this.lines();
    this.film();
    if (!this.drawn) performance.mark("scene-shown");
    this.drawn = (this.drawn || 0) + 1;
    this.pace(started);
  }

  // While something is dragged the view from the film's camera stays the same: where that helps it is drawn one time in three.
  rests() {
    return this.dragging && this.view.keeps && !this.cleared && (this.drawn || 0) % 3 !== 0;
  }

  // Every object that is shown, in the frame of a camera; null for the others.
  seenFrom(pose) {
    const { frame, scales } = this.state, fromWorld = inverse(pose);
    const world = this.objects.map((_, k) => (this.shown[k] ? this.placement.worldFromObject(k, frame, scales[k]) : null));
    return world.map((one) => one && product(fromWorld, one));
  }

  // Fewer pixels while things move too slowly; all of them once they rest.
  pace(started) {
    const spent = started - this.before;
    this.before = this.moving ? started : NaN;
    if (this.moving) {
      const wanted = this.dragging ? PICTURE_MS : Math.max(PICTURE_MS, 1000 / this.data.fps);
      if (spent > 1.15 * wanted) this.quality = Math.max(LEAST_QUALITY, this.quality * Math.max(0.5, Math.sqrt(wanted / spent)));
      else if (spent < 0.6 * wanted) this.quality = Math.min(1, this.quality * 1.05);
      if (this.dragging) this.ask();
      clearTimeout(this.sharp);
      this.sharp = setTimeout(() => this.ask(), 250);
    }
  }

  get moving() {
    return this.dragging || this.state.playing;
  }

  fit() {
    const factor = Math.min(devicePixelRatio, 1.5) * (this.moving ? this.quality : 1);
    const { clientWidth, clientHeight } = this.canvas;
    const [width, height] = [Math.round(clientWidth * factor), Math.round(clientHeight * factor)];
    this.cleared = this.canvas.width !== width || this.canvas.height !== height;
    if (this.cleared) Object.assign(this.canvas, { width, height });
    this.factor = factor;
  }

  box(name) {
    const outer = this.canvas.getBoundingClientRect(), inner = this.find(name).getBoundingClientRect();
    const scaled = (value) => Math.round(value * this.factor);
    const [x, y] = [scaled(inner.left - outer.left), scaled(inner.top - outer.top)];
    return { x, y, width: scaled(inner.width), height: scaled(inner.height) };
  }

  intrinsics(box) {
    const [fx, fy, cx, cy, width, height] = this.data.intrinsics;
    return [(fx * box.width) / width, (fy * box.height) / height, (cx * box.width) / width, (cy * box.height) / height];
  }

  film() {
    const layer = this.find("film"), { film, frame } = this.state;
    layer.hidden = !film;
    if (!film) return;
    const image = this.films[Math.round((frame * (this.films.length - 1)) / Math.max(1, this.data.frames - 1))];
    const context = clearedContext(layer);
    if (image && image.complete) context.drawImage(image, 0, 0, context.canvas.width, context.canvas.height);
  }

  // In the view from elsewhere: the film's camera, its path, and its lines of sight to the moving things.
  lines() {
    const context = clearedContext(this.find("lines")), { frame, scales } = this.state;
    const { width, height } = context.canvas, [fx, fy, cx, cy] = this.intrinsics({ width, height });
    const fromWorld = inverse(this.outside());
    const line = (points, colour, wide, dash = []) => {
      context.beginPath();
      context.setLineDash(dash);
      context.strokeStyle = colour;
      context.lineWidth = wide * (width / 480);
      points.map((point) => moved(fromWorld, point)).forEach(([x, y, z], n, all) => {
        if (z < 1e-3 || (n && all[n - 1][2] < 1e-3)) return;
        context[n ? "lineTo" : "moveTo"]((fx * x) / z + cx, (fy * y) / z + cy);
      });
      context.stroke();
    };
    const eyes = Array.from({ length: this.data.frames }, (_, t) => t).filter((t) => this.placement.known(0, t));
    line(eyes.map((t) => Array.from(this.placement.camera(t).slice(12, 15))), "#fffa", 1.5);
    const camera = this.placement.camera(frame), eye = Array.from(camera.slice(12, 15));
    const [focal, other, right, down, wide, high] = this.data.intrinsics, reach = 0.13 * this.base.depth;
    const corners = [[0, 0], [wide, 0], [wide, high], [0, high]].map(([x, y]) =>
      moved(camera, [((x - right) / focal) * reach, ((y - down) / other) * reach, reach])
    );
    line([...corners, corners[0]], "#fff", 1.5);
    corners.forEach((corner) => line([eye, corner], "#fff", 1.5));
    this.objects.forEach((one, k) => {
      const pose = k && this.shown[k] && this.placement.worldFromObject(k, frame, scales[k]);
      if (!pose) return;
      const centre = [pose[12], pose[13], pose[14]];
      line([eye, plus(eye, plus(centre, eye, -1), 1.6)], one.colour, 2, [6, 5]);
    });
  }

  // ---- what is changed ----

  change(values) {
    Object.assign(this.state, values);
    const { frame, scales } = this.state;
    this.find("frame").value = frame;
    this.find("frame-text").textContent = `frame ${frame}, of 0 to ${this.data.frames - 1}`;
    this.find("play").textContent = this.state.playing ? "Pause" : "Play";
    this.find("play").setAttribute("aria-pressed", this.state.playing);
    this.sliders.forEach(({ slider, number, index }) => {
      slider.value = Math.log(scales[index]);
      number.textContent = scales[index].toFixed(3);
      slider.setAttribute("aria-valuetext", `${this.objects[index].name}: ${scales[index].toFixed(2)}`);
    });
    if (values.scales || !this.map) this.verdict();
    if (values.scales && this.map) this.map.paint();
    this.ask();
  }

  // A person asks for a scale: it is taken, or as near to it as scenes stay possible.
  setScale(index, scale) {
    const before = this.state.scales, scales = before.slice();
    scales[index] = scale;
    this.setScales(scales);
  }

  setScales(scales) {
    const before = this.state.scales;
    const kept = this.find("valid-only").checked && this.judge.possible(before);
    this.change({ scales: kept ? this.judge.border(before, scales) : scales });
  }

  verdict() {
    const { scales } = this.state, score = this.judge.score(scales), valid = score >= this.judge.least;
    const hidden = this.judge.worstHidden(scales), certain = valid && hidden.share <= this.judge.hiding.limit;
    const [word, style] = certain ? ["possible", "good"] : valid ? ["doubtful", "caution"] : ["impossible", "bad"];
    const badge = this.find("badge");
    badge.className = `badge ${style}`;
    badge.textContent = `${word}, score ${score.toFixed(3)}`;
    this.find("reason").textContent = certain
      ? "The film's camera would have seen the same pictures. Only from elsewhere is it another scene."
      : valid ? this.doubtText(hidden) : this.conflictsText(scales);
  }

  named(index) {
    const { name } = this.objects[index];
    return name === "background" ? "the background" : name;
  }

  doubtText({ share, seen, frame, shown }) {
    const [hidden, hider] = [seen, shown].map((k) => this.named(k)), percent = (value) => `${(100 * value).toFixed(1)} %`;
    return `The scale network takes these scales. But depths are not sure, and ${hider} could hide ${percent(share)} of what frame ${frame} shows of ${hidden}. ` +
      `Up to ${percent(this.judge.hiding.limit)} would be no more than the fields get wrong at borders.`;
  }

  conflictsText(scales) {
    const found = this.judge.conflicts(scales, this.suggested).slice(0, 2);
    return found.map((one) => this.conflictText(one)).join(" ") || "The scale network rejects these scales.";
  }

  conflictText({ seen, shown, share, frames }) {
    const [hidden, hider] = [seen, shown].map((k) => this.named(k));
    const named = frames.slice(0, 4).sort((a, b) => a - b).join(", ");
    const more = frames.length > 4 ? " and others" : "";
    const percent = `${(100 * share).toFixed(1)} % of all pixels of the film`;
    return `The film shows ${hidden} where ${hider} would hide it: frames ${named}${more} (${percent}).`;
  }

  anotherSample() {
    const samples = this.data.scales.samples;
    this.sample = ((this.sample || 0) + 1 + Math.floor(Math.random() * Math.max(1, samples.length - 2))) % samples.length;
    this.change({ scales: samples[this.sample].slice() });
  }

  play(on) {
    this.change({ playing: on });
    clearInterval(this.timer);
    if (on)
      this.timer = setInterval(() => {
        const frames = this.data.playable, next = frames.find((frame) => frame > this.state.frame);
        this.change({ frame: next === undefined ? frames[0] : next });
      }, 1000 / this.data.fps);
  }
}

function clearedContext(canvas) {
  const factor = Math.min(devicePixelRatio, 2), context = canvas.getContext("2d");
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.max(1, Math.round(side * factor)));
  if (canvas.width === width && canvas.height === height) context.clearRect(0, 0, width, height);
  else Object.assign(canvas, { width, height });
  return context;
}

function startScene() {
  const root = document.getElementById("scene");
  performance.mark("scene-start");
  try {
    window.scenePage = new ScenePage(root, JSON.parse(document.getElementById("scene-data").textContent));
    root.dataset.ready = "yes";
    performance.mark("scene-ready");
  } catch (error) {
    root.dataset.ready = "no";
    root.querySelector('[data-part="fault"]').textContent =
      `The interactive scene cannot be shown here (${error.message}). The pictures further down show several scenes.`;
  }
}
