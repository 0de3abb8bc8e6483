// The sliders, buttons, keys and gestures of the interactive scene, and its map of valid scales.
"use strict";

const COARSE = 10; // steps of a scale slider that an arrow key takes; with Shift one

Object.assign(ScenePage.prototype, {
  controls() {
    const { data } = this;
    this.sliders = this.objects.slice(1).map((one, n) => this.scaleRow(one, n + 1)).filter(Boolean);
    const frame = this.find("frame");
    frame.max = data.frames - 1;
    frame.addEventListener("input", () => {
      const wanted = Number(frame.value);
      const near = (a, b) => (Math.abs(b - wanted) < Math.abs(a - wanted) ? b : a);
      this.change({ frame: data.playable.reduce(near) });
    });
    const pressed = {
      play: () => this.play(!this.state.playing),
      suggested: () => this.change({ scales: this.suggested.slice() }),
      nearest: () => this.change({ scales: this.judge.nearest(this.state.scales) }),
      another: () => this.anotherSample(),
      back: () => this.change({ ...START }),
      "film-button": () => {
        this.change({ film: !this.state.film });
        this.find("film-button").setAttribute("aria-pressed", this.state.film);
      },
    };
    for (const [name, action] of Object.entries(pressed)) this.find(name).addEventListener("click", action);
    this.find("valid-only").addEventListener("change", () => {
      if (this.find("valid-only").checked) this.change({ scales: this.judge.nearest(this.state.scales) });
    });
    this.root.addEventListener("keydown", (event) => this.key(event));
  },

  // A row for an object: shown or not, its scale on a logarithmic slider, the number.
  scaleRow(one, index) {
    const row = this.find("row").content.firstElementChild.cloneNode(true);
    const slider = row.querySelector("input[type=range]"), shown = row.querySelector("input[type=checkbox]");
    const [low, high] = this.judge.range[index];
    row.querySelector(".dot").style.background = one.colour;
    row.querySelector("[data-name]").textContent = one.name;
    shown.setAttribute("aria-label", `show ${one.name}`);
    shown.addEventListener("change", () => {
      this.shown[index] = shown.checked;
      this.change({});
    });
    Object.assign(slider, { min: Math.log(low), max: Math.log(high), step: (Math.log(high) - Math.log(low)) / 2000 });
    slider.setAttribute("aria-label", `scale of ${one.name}`);
    slider.id = `scale-${index}`;
    slider.addEventListener("input", () => this.setScale(index, Math.exp(Number(slider.value))));
    slider.addEventListener("keydown", ({ key, shiftKey }) => {
      const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[key];
      if (way && !shiftKey) slider.stepUp(way * (COARSE - 1)); // and the key's own step
    });
    slider.addEventListener("pointerdown", () => (this.dragging = true));
    for (const end of ["pointerup", "pointercancel", "change"])
      slider.addEventListener(end, () => {
        this.dragging = false;
        this.ask();
      });
    this.find("rows").append(row);
    return { slider, number: row.querySelector("output"), index };
  },

  key(event) {
    if (event.target.tagName === "INPUT" || event.altKey || event.ctrlKey || event.metaKey) return;
    const { yaw, pitch, zoom } = this.state, held = event.target.closest('[data-part="outside"]');
    const turns = { ArrowLeft: [-0.08, 0], ArrowRight: [0.08, 0], ArrowUp: [0, 0.06], ArrowDown: [0, -0.06] };
    if (held && turns[event.key]) {
      const [sideways, up] = turns[event.key];
      this.turn(sideways, up);
    } else if (held && ["+", "-", "="].includes(event.key)) this.change({ zoom: limited(zoom * (event.key === "-" ? 0.9 : 1.1), 0.25, 6) });
    else if (event.key === " " && event.target.tagName !== "BUTTON") this.play(!this.state.playing);
    else return;
    event.preventDefault();
  },

  turn(sideways, up) {
    const { yaw, pitch } = this.state;
    this.change({ yaw: limited(yaw + sideways, -2.6, 2.6), pitch: limited(pitch + up, -1.2, 1.4) });
  },

  // One pointer turns the view from elsewhere, two move it nearer; the wheel does so while Ctrl is held.
  gestures() {
    const pane = this.find("outside"), held = new Map();
    pane.addEventListener("pointerdown", (event) => {
      pane.setPointerCapture(event.pointerId);
      held.set(event.pointerId, event);
      this.dragging = true;
    });
    pane.addEventListener("pointermove", (event) => {
      const before = held.get(event.pointerId);
      if (!before) return;
      if (held.size === 2) {
        const other = [...held].find(([id]) => id !== event.pointerId)[1];
        const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
        this.change({ zoom: limited((this.state.zoom * apart(event)) / apart(before), 0.25, 6) });
      } else this.turn(-(event.clientX - before.clientX) / 180, (event.clientY - before.clientY) / 180);
      held.set(event.pointerId, event);
    });
    for (const end of ["pointerup", "pointercancel"])
      pane.addEventListener(end, (event) => {
        held.delete(event.pointerId);
        this.dragging = held.size > 0;
        this.ask();
      });
    pane.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.change({ zoom: limited(this.state.zoom * Math.exp(-event.deltaY / 300), 0.25, 6) });
    }, { passive: false });
  },
});

const limited = (value, low, high) => Math.min(high, Math.max(low, value));

// The scales of two objects as a map of what is possible, with a dot that can be dragged; of one object, a strip.
class ScaleMap {
  constructor(page) {
    this.page = page;
    this.canvas = page.find("map");
    this.axes = page.sliders.map(({ index }) => index).slice(0, 2);
    this.choices();
    const follow = (event) => this.held && this.take(event);
    this.canvas.addEventListener("pointerdown", (event) => {
      this.held = page.dragging = true;
      this.canvas.setPointerCapture(event.pointerId);
      this.take(event);
    });
    this.canvas.addEventListener("pointermove", follow);
    for (const end of ["pointerup", "pointercancel"])
      this.canvas.addEventListener(end, () => {
        this.held = page.dragging = false;
        page.ask();
      });
    this.canvas.hidden = !this.axes.length;
  }

  // Which two of more than two objects are on the map.
  choices() {
    const { page } = this;
    this.selects = ["map-x", "map-y"].map((name, n) => {
      const select = page.find(name);
      page.sliders.forEach(({ index }) => select.add(new Option(page.objects[index].name, index)));
      select.value = this.axes[n];
      select.addEventListener("change", () => {
        const other = this.axes[1 - n];
        if (Number(select.value) === other) this.axes[1 - n] = this.axes[n];
        this.axes[n] = Number(select.value);
        this.selects.forEach((one, m) => (one.value = this.axes[m]));
        this.paint();
      });
      return select;
    });
    page.find("map-choice").hidden = page.sliders.length < 3;
  }

  at(axis, share) {
    const [low, high] = this.page.judge.range[axis];
    return low * Math.pow(high / low, limited(share, 0, 1));
  }

  share(axis, scale) {
    const [low, high] = this.page.judge.range[axis];
    return Math.log(scale / low) / Math.log(high / low);
  }

  take(event) {
    const box = this.canvas.getBoundingClientRect(), scales = this.page.state.scales.slice();
    scales[this.axes[0]] = this.at(this.axes[0], (event.clientX - box.left) / box.width);
    if (this.axes.length > 1) scales[this.axes[1]] = this.at(this.axes[1], 1 - (event.clientY - box.top) / box.height);
    this.page.setScales(scales);
  }

  // What is possible, doubtful and impossible, made anew only where the other objects' scales or the axes are others.
  picture() {
    const { page, axes } = this, size = 48, scales = page.state.scales.slice();
    const key = JSON.stringify([axes, scales.map((scale, k) => (axes.includes(k) ? 0 : scale))]);
    if (key === this.key) return this.drawn;
    this.key = key;
    const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
    const context = canvas.getContext("2d"), image = context.createImageData(size, size);
    const grey = [138, 147, 160], yellow = [226, 200, 106], green = [88, 185, 138], coarse = new Map();
    for (let row = 0; row < size; row++)
      for (let column = 0; column < size; column++) {
        scales[axes[0]] = this.at(axes[0], (column + 0.5) / size);
        if (axes.length > 1) scales[axes[1]] = this.at(axes[1], 1 - (row + 0.5) / size);
        const score = page.judge.score(scales), sure = limited(0.5 + (score - page.judge.least) * 6, 0, 1);
        const place = (row >> 1) * size + (column >> 1); // what is hidden is counted at every second place
        if (sure && !coarse.has(place)) coarse.set(place, page.judge.worstHidden(scales).share <= page.judge.hiding.limit);
        const colour = coarse.get(place) ? green : yellow;
        for (let n = 0; n < 3; n++) image.data[4 * (row * size + column) + n] = grey[n] + sure * (colour[n] - grey[n]);
        image.data[4 * (row * size + column) + 3] = 255;
      }
    context.putImageData(image, 0, 0);
    return (this.drawn = canvas);
  }

  paint() {
    if (!this.axes.length) return;
    const context = clearedContext(this.canvas), { width, height } = context.canvas, { page, axes } = this;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.picture(), 0, 0, width, height);
    const dot = (scales, radius, fill, edge) => {
      const x = width * this.share(axes[0], scales[axes[0]]);
      const y = axes.length > 1 ? height * (1 - this.share(axes[1], scales[axes[1]])) : height / 2;
      context.beginPath();
      context.arc(x, y, radius * (width / 240), 0, 7);
      context.fillStyle = fill;
      context.fill();
      context.lineWidth = 2 * (width / 240);
      context.strokeStyle = edge;
      context.stroke();
    };
    dot(page.suggested, 4, "#15181d", "#15181d");
    dot(page.state.scales, 7, page.judge.possible(page.state.scales) ? "#ffffff" : "#e0554a", "#15181d");
    this.canvas.setAttribute("aria-label", `map of possible scales of ${axes.map((k) => page.objects[k].name).join(" and ")}`);
    page.find("map-across").textContent = `scale of ${page.objects[axes[0]].name} →`;
    page.find("map-up").textContent = axes.length > 1 ? `scale of ${page.objects[axes[1]].name} ↑` : "";
  }
}

startScene();
