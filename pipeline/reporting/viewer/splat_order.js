// Splats sorted on the CPU, far ones first, each as its centre and two axes in the picture (3D Gaussian Splatting).
"use strict";

const WORDS = 8; // of a sorted splat: its centre and two axes in pixels, its colour, nothing
const ROW = 1024; // splats in a row of the texture that carries them
const NEAREST = 1e-3;
const LOG_NEAREST = Math.log(NEAREST), STEPS = 65535 / (Math.log(1e4) - LOG_NEAREST); // of depth, in sorting
const BLUR_PX2 = 0.3; // added to every variance in the picture, as in models/splats/gaussians.py

// The splats of all objects as the page carries them: quantised places, sizes, turns and colours.
function unpackedSplats(objects) {
  const count = objects.reduce((sum, one) => sum + one.count, 0);
  const places = new Float32Array(3 * count), spread = new Float32Array(6 * count);
  const owner = new Uint8Array(count), colours = new Uint8Array(4 * count), reach = new Float32Array(count);
  let n = 0;
  objects.forEach((one, k) => {
    const packed = decoded(one.places, Int16Array), sizes = decoded(one.sizes, Uint8Array);
    const turns = decoded(one.turns, Int8Array), size = [0, 0, 0];
    const [low, high] = one.size_range;
    colours.set(decoded(one.colours, Uint8Array), 4 * n);
    for (let i = 0; i < one.count; i++, n++) {
      owner[n] = k;
      for (let axis = 0; axis < 3; axis++) {
        const q = packed[3 * i + axis] / 32767;
        places[3 * n + axis] = (one.reach * q) / (1 - Math.abs(q));
        size[axis] = Math.exp(low + ((high - low) * sizes[3 * i + axis]) / 255);
      }
      reach[n] = Math.sqrt(2 * Math.log(Math.max(1, colours[4 * n + 3])));
      covariance(turns, 4 * i, size, spread, 6 * n);
    }
  });
  return { count, places, spread, owner, colours: new Uint32Array(colours.buffer), reach };
}

// R S S R^T as xx, xy, xz, yy, yz, zz.
function covariance(turns, from, size, into, at) {
  let [w, x, y, z] = [turns[from], turns[from + 1], turns[from + 2], turns[from + 3]];
  const length = Math.hypot(w, x, y, z) || 1;
  w /= length; x /= length; y /= length; z /= length;
  const [a, b, c] = [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)];
  const [d, e, f] = [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)];
  const [g, h, i] = [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)];
  const [p, q, r] = [size[0] * size[0], size[1] * size[1], size[2] * size[2]];
  into[at] = a * a * p + b * b * q + c * c * r;
  into[at + 1] = a * d * p + b * e * q + c * f * r;
  into[at + 2] = a * g * p + b * h * q + c * i * r;
  into[at + 3] = d * d * p + e * e * q + f * f * r;
  into[at + 4] = d * g * p + e * h * q + f * i * r;
  into[at + 5] = g * g * p + h * h * q + i * i * r;
}

class SplatOrder {
  constructor(objects) {
    this.splats = unpackedSplats(objects);
    const { count } = this.splats;
    this.drawn = new Float32Array(6 * count);
    this.keys = new Uint32Array(count);
    this.counts = new Uint32Array(65537);
    this.rows = Math.max(1, Math.ceil(count / ROW));
    this.words = new Uint32Array(WORDS * ROW * this.rows);
    this.floats = new Float32Array(this.words.buffer);
  }

  // Where a splat lies in the picture, and its key for sorting; the last key for one that is not seen.
  project(n, view, [fx, fy, cx, cy], width, height) {
    const { places, spread, reach } = this.splats, { drawn } = this, [x0, y0, z0] = [places[3 * n], places[3 * n + 1], places[3 * n + 2]];
    const z = view[2] * x0 + view[6] * y0 + view[10] * z0 + view[14];
    if (z < NEAREST) return 65536;
    const x = (view[0] * x0 + view[4] * y0 + view[8] * z0 + view[12]) / z;
    const y = (view[1] * x0 + view[5] * y0 + view[9] * z0 + view[13]) / z;
    const right = Math.min(Math.max(x, (-1.3 * cx) / fx), (1.3 * (width - cx)) / fx);
    const down = Math.min(Math.max(y, (-1.3 * cy) / fy), (1.3 * (height - cy)) / fy);
    const [s, t] = [fx / z, fy / z];
    const [a, b, c] = [s * (view[0] - right * view[2]), s * (view[4] - right * view[6]), s * (view[8] - right * view[10])];
    const [d, e, f] = [t * (view[1] - down * view[2]), t * (view[5] - down * view[6]), t * (view[9] - down * view[10])];
    const o = 6 * n, sxx = spread[o], sxy = spread[o + 1], sxz = spread[o + 2], syy = spread[o + 3], syz = spread[o + 4], szz = spread[o + 5];
    const [p, q, r] = [sxx * a + sxy * b + sxz * c, sxy * a + syy * b + syz * c, sxz * a + syz * b + szz * c];
    const xx = a * p + b * q + c * r + BLUR_PX2, xy = d * p + e * q + f * r;
    const yy = d * (sxx * d + sxy * e + sxz * f) + e * (sxy * d + syy * e + syz * f) + f * (sxz * d + syz * e + szz * f) + BLUR_PX2;
    const [px, py, far] = [fx * x + cx, fy * y + cy, reach[n]];
    const [wide, high] = [far * Math.sqrt(xx), far * Math.sqrt(yy)];
    if (!far || px + wide < 0 || px - wide > width || py + high < 0 || py - high > height) return 65536;
    const middle = (xx + yy) / 2, apart = Math.sqrt(((xx - yy) * (xx - yy)) / 4 + xy * xy);
    const large = Math.sqrt(middle + apart), small = Math.sqrt(Math.max(middle - apart, 0.05));
    let [ux, uy] = [xy, middle + apart - xx];
    const length = Math.sqrt(ux * ux + uy * uy);
    if (length < 1e-6) [ux, uy] = xx >= yy ? [1, 0] : [0, 1];
    else [ux, uy] = [ux / length, uy / length];
    drawn[o] = px;
    drawn[o + 1] = py;
    drawn[o + 2] = large * ux;
    drawn[o + 3] = large * uy;
    drawn[o + 4] = -small * uy;
    drawn[o + 5] = small * ux;
    return 65535 - Math.min(65535, Math.floor((Math.log(z) - LOG_NEAREST) * STEPS));
  }

  // The splats that are seen, the farthest first: a counting sort by the logarithm of depth. How many there are.
  sort(views, camera, width, height) {
    const { owner, count, colours } = this.splats, { keys, counts, drawn, floats, words } = this;
    counts.fill(0);
    for (let n = 0; n < count; n++) {
      const view = views[owner[n]];
      keys[n] = view ? this.project(n, view, camera, width, height) : 65536;
      counts[keys[n]]++;
    }
    const shown = count - counts[65536];
    for (let key = 0, place = 0; key < 65536; key++) {
      const here = counts[key];
      counts[key] = place;
      place += here;
    }
    for (let n = 0; n < count; n++) {
      if (keys[n] === 65536) continue;
      const to = WORDS * counts[keys[n]]++;
      for (let i = 0; i < 6; i++) floats[to + i] = drawn[6 * n + i];
      words[to + 6] = colours[n];
    }
    return shown;
  }
}
