// Which scales explain the video: the trained scale network and the rays that say who hides whom, as in models/osn/.
"use strict";

function decoded(text, Kind) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Kind(bytes.buffer);
}

function hidingRays(data) {
  return {
    depth: decoded(data.depth, Float32Array),
    seen: decoded(data.seen, Uint8Array),
    frames: decoded(data.frames, Uint16Array),
    counts: decoded(data.counts, Uint16Array),
    limit: data.limit,
  };
}

// Which object is the nearest on a ray; the one that was seen, where none is nearer.
function nearestOn(ray, depth, seen, scales) {
  let [nearest, found] = [Infinity, 0];
  for (let k = 0; k < scales.length; k++) {
    const away = scales[k] * depth[ray * scales.length + k];
    if (away < nearest) [nearest, found] = [away, k];
  }
  return scales[seen] * depth[ray * scales.length + seen] <= nearest ? seen : found;
}

class ScaleScore {
  constructor(data) {
    this.range = data.range;
    this.shift = data.shift;
    this.least = data.least;
    this.samples = data.samples;
    this.layers = data.layers.map(({ weights, biases }) => ({
      weights: decoded(weights, Float32Array),
      biases: decoded(biases, Float32Array),
    }));
    this.room = [new Float64Array(data.range.length - 1), ...this.layers.map(({ biases }) => new Float64Array(biases.length))];
    this.depth = decoded(data.depth, Float32Array);
    this.seen = decoded(data.seen, Uint8Array);
    this.frames = decoded(data.frames, Uint16Array);
    this.share = data.share;
    this.hiding = hidingRays(data.hiding);
    this.strict = this.certain(this.samples[0]); // what one may choose is certain, where anything is
  }

  get count() {
    return this.range.length;
  }

  // Validity in [0, 1] of one scale for each object; the background's is 1.
  score(scales) {
    if (!this.layers.length) return 1;
    let values = this.room[0];
    for (let k = 1; k < scales.length; k++) {
      const [low, high] = this.range[k];
      values[k - 1] = (2 * (scales[k] - low)) / Math.max(high - low, 1e-6) - 1;
    }
    for (let place = 0; place < this.layers.length; place++) {
      const { weights, biases } = this.layers[place], next = this.room[place + 1], wide = next.length;
      next.set(biases);
      for (let i = 0; i < values.length; i++) {
        const value = values[i];
        if (value === 0 || (place && value < 0)) continue; // ReLU
        for (let j = 0; j < wide; j++) next[j] += value * weights[i * wide + j];
      }
      values = next;
    }
    return 1 / (1 + Math.exp(-values[0] - this.shift));
  }

  valid(scales) {
    return this.score(scales) >= this.least;
  }

  // Valid, and no object loses more in any frame than the fields get wrong at borders.
  certain(scales) {
    return this.valid(scales) && this.worstHidden(scales).share <= this.hiding.limit;
  }

  possible(scales) {
    return this.strict ? this.certain(scales) : this.valid(scales);
  }

  // As far from a possible scene towards another as scenes stay possible, in ratios of scales.
  border(valid, wanted) {
    let [near, far] = [0, 1];
    const at = (share) => valid.map((scale, k) => scale * Math.pow(wanted[k] / scale, share));
    if (this.possible(wanted)) return wanted;
    for (let n = 0; n < 30; n++) {
      const middle = (near + far) / 2;
      if (this.possible(at(middle))) near = middle;
      else far = middle;
    }
    return at(near);
  }

  // The possible scene nearest to some scales: the nearest sample, then as far from it towards them as it goes.
  nearest(scales) {
    if (this.possible(scales)) return scales;
    const away = (sample) => sample.reduce((sum, scale, k) => sum + Math.log(scale / scales[k]) ** 2, 0);
    const known = this.samples.filter((sample) => this.possible(sample));
    const from = (known.length ? known : this.samples).reduce((best, one) => (away(one) < away(best) ? one : best));
    return this.possible(from) ? this.border(from, scales) : from;
  }

  shown(ray, scales) {
    return nearestOn(ray, this.depth, this.seen[ray], scales);
  }

  // The object that loses the largest share of what a frame shows of it: which, in which frame, and to whom the most.
  worstHidden(scales) {
    const { depth, seen, frames, counts } = this.hiding, groups = new Map();
    let worst = { share: 0 };
    for (let ray = 0; ray < seen.length; ray++) {
      const shown = nearestOn(ray, depth, seen[ray], scales);
      if (shown === seen[ray]) continue;
      const key = frames[ray] * 256 + seen[ray], group = groups.get(key) || { by: new Map(), rays: 0 };
      group.rays += 1;
      group.by.set(shown, (group.by.get(shown) || 0) + 1);
      groups.set(key, group);
      const share = group.rays / counts[ray];
      if (share > worst.share) worst = { share, seen: seen[ray], frame: frames[ray], by: group.by };
    }
    if (worst.by) worst.shown = [...worst.by].reduce((most, one) => (one[1] > most[1] ? one : most))[0];
    return worst;
  }

  // Who would hide whom under these scales and not under those of a valid scene: the largest share of pixels first.
  conflicts(scales, unlike) {
    const found = new Map();
    for (let ray = 0; ray < this.seen.length; ray++) {
      const shown = this.shown(ray, scales);
      if (shown === this.seen[ray] || this.shown(ray, unlike) !== this.seen[ray]) continue;
      const key = this.seen[ray] * 256 + shown;
      const entry = found.get(key) || { seen: this.seen[ray], shown, rays: 0, frames: new Map() };
      entry.rays += 1;
      entry.frames.set(this.frames[ray], (entry.frames.get(this.frames[ray]) || 0) + 1);
      found.set(key, entry);
    }
    return [...found.values()]
      .map((entry) => ({
        seen: entry.seen,
        shown: entry.shown,
        share: entry.rays * this.share,
        frames: [...entry.frames].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([frame]) => frame),
      }))
      .filter((entry) => entry.share >= 1e-4)
      .sort((a, b) => b.share - a.share);
  }
}
