// Where cameras and objects are: 4x4 matrices, column after column, with the axes of OpenCV (x right, y down, z forward).
"use strict";

function product(a, b) {
  const found = new Float64Array(16);
  for (let column = 0; column < 4; column++)
    for (let row = 0; row < 4; row++)
      for (let n = 0; n < 4; n++) found[4 * column + row] += a[4 * n + row] * b[4 * column + n];
  return found;
}

function inverse(rigid) {
  const found = new Float64Array(16);
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 3; column++) found[4 * column + row] = rigid[4 * row + column];
    found[12 + row] = -(rigid[4 * row] * rigid[12] + rigid[4 * row + 1] * rigid[13] + rigid[4 * row + 2] * rigid[14]);
  }
  found[15] = 1;
  return found;
}

function scaling(scale) {
  return Float64Array.of(scale, 0, 0, 0, 0, scale, 0, 0, 0, 0, scale, 0, 0, 0, 0, 1);
}

function moved(matrix, [x, y, z]) {
  return [0, 1, 2].map((row) => matrix[row] * x + matrix[4 + row] * y + matrix[8 + row] * z + matrix[12 + row]);
}

const plus = (a, b, share = 1) => a.map((value, n) => value + share * b[n]);
const cross = ([a, b, c], [x, y, z]) => [b * z - c * y, c * x - a * z, a * y - b * x];
const unit = (a) => a.map((value) => value / Math.hypot(...a));

// world_from_camera of a camera that looks at a point.
function lookingAt(eye, target, down) {
  const forward = unit(plus(target, eye, -1)), right = unit(cross(down, forward)), below = cross(forward, right);
  return Float64Array.of(...right, 0, ...below, 0, ...forward, 0, ...eye, 1);
}

class Placement {
  constructor(data) {
    this.frames = data.frames;
    this.visible = data.visible;
    const rows = decoded(data.poses, Float32Array);
    const at = (k, t) => {
      const from = 12 * (k * this.frames + t), found = new Float64Array(16);
      for (let row = 0; row < 3; row++)
        for (let column = 0; column < 4; column++) found[4 * column + row] = rows[from + 4 * row + column];
      found[15] = 1;
      return found;
    };
    this.poses = data.visible.map((_, k) => Array.from({ length: this.frames }, (_, t) => at(k, t)));
  }

  known(k, t) {
    return this.visible[k][t] === "1";
  }

  camera(t) {
    return this.poses[0][t];
  }

  // x_world = P0 (s camera_from_object X), as OSN has it; null where the object has no pose.
  worldFromObject(k, t, scale) {
    if (!this.known(k, t) || !this.known(0, t)) return null;
    return product(this.camera(t), product(scaling(scale), inverse(this.poses[k][t])));
  }
}
