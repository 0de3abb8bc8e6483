// The page of pick_prompts: frames, clicks and boxes; the server turns them into YAML, and shows what they cut out.
"use strict";
const $ = id => document.getElementById(id);
const canvas = $("view"), pen = canvas.getContext("2d");
let state, images = [], frame = 0, current = 1, cursor = null, corner = null, drag = null, timer = null, saved = "", listed = "";
let doc = { objects: [{ id: 1, name: "" }], marks: [] };          // what is undone and redone
let past = [], future = [];

// ---- what the clicks say ----
const here = () => doc.marks.filter(mark => mark.frame === frame);
const title = id => doc.objects.find(object => object.id === id)?.name || `object ${id}`;
const clean = value => Math.round(value * 10) / 10;

function prompts() {
  const entries = new Map();
  for (const mark of doc.marks) {
    const key = `${mark.object} ${mark.frame}`;
    if (!entries.has(key)) entries.set(key, { object: mark.object, frame: mark.frame, points: [], labels: [] });
    const entry = entries.get(key), name = doc.objects.find(object => object.id === mark.object).name;
    if (name) entry.name = name;
    if (mark.box) entry.box = mark.box;
    else { entry.points.push([mark.x, mark.y]); entry.labels.push(mark.label); }
  }
  return [...entries.values()];
}

function fromPrompts(list) {
  const objects = [], marks = [];
  for (const prompt of list) {
    let object = objects.find(known => known.id === prompt.object);
    if (!object) objects.push(object = { id: prompt.object, name: "" });
    object.name ||= prompt.name || "";
    prompt.points.forEach(([x, y], i) =>
      marks.push({ object: prompt.object, frame: prompt.frame, x, y, label: prompt.labels[i] ?? 1 }));
    if (prompt.box) marks.push({ object: prompt.object, frame: prompt.frame, box: prompt.box });
  }
  return { objects: objects.length ? objects.sort((a, b) => a.id - b.id) : [{ id: 1, name: "" }], marks };
}

// ---- changes ----
function change(next) {
  past.push(doc); future = []; doc = next;
  changed();
}
function travel(from, to) {
  if (!from.length) return;
  to.push(doc); doc = from.pop();
  changed();
}
function changed() {
  if (!doc.objects.some(object => object.id === current)) current = doc.objects[0].id;
  show(); tell();
}
function addPoint(x, y, label) {
  change({ ...doc, marks: [...doc.marks, { object: current, frame, x: clean(x), y: clean(y), label }] });
  say(`${title(current)}: point ${label ? "on" : "beside"} the object`);
}
function addBox(a, b) {
  const box = [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.max(a.x, b.x), Math.max(a.y, b.y)].map(clean);
  if (box[0] === box[2] || box[1] === box[3]) return say("an empty box is left out");
  const rest = doc.marks.filter(mark => !(mark.box && mark.object === current && mark.frame === frame));
  change({ ...doc, marks: [...rest, { object: current, frame, box }] });
  say(`${title(current)}: box`);
}
function removeMark(mark) { change({ ...doc, marks: doc.marks.filter(other => other !== mark) }); }
function addObject() {
  let id = 1;
  while (doc.objects.some(object => object.id === id)) id++;
  if (id > 254) return say("there are 254 objects already", true);
  current = id;
  change({ ...doc, objects: [...doc.objects, { id, name: "" }].sort((a, b) => a.id - b.id) });
}
function removeObject(id) {
  const objects = doc.objects.filter(object => object.id !== id);
  change({ objects: objects.length ? objects : [{ id: 1, name: "" }], marks: doc.marks.filter(mark => mark.object !== id) });
}
function rename(id, name) {
  const objects = doc.objects.map(object => object.id === id ? { id, name } : object);
  listed = JSON.stringify(objects);                                 // the field says it already, and keeps the focus
  change({ ...doc, objects });
}

// ---- drawing ----
function draw() {
  const scale = canvas.width / state.width;
  pen.imageSmoothingEnabled = true;
  pen.fillStyle = "#000"; pen.fillRect(0, 0, canvas.width, canvas.height);
  const image = images[frame];
  if (image?.complete && image.naturalWidth) pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  if ($("masked").checked) for (const { id } of doc.objects) {
    const picture = maskOf(id)?.picture;
    if (picture?.complete && picture.naturalWidth) pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  }
  for (const mark of here()) mark.box ? drawBox(mark.box, mark.object, scale) : drawPoint(mark, scale);
  if (drag?.moved) drawBox([drag.from.x, drag.from.y, drag.to.x, drag.to.y], current, scale);
  if (corner && cursor) drawBox([corner.x, corner.y, cursor.x, cursor.y], current, scale);
  if (cursor) stroke(() => {
    pen.moveTo(cursor.x * scale, 0); pen.lineTo(cursor.x * scale, canvas.height);
    pen.moveTo(0, cursor.y * scale); pen.lineTo(canvas.width, cursor.y * scale);
  }, "#fff", 1);
}
function stroke(path, colour, width) {
  for (const [style, extra] of [["#000", 2], [colour, 0]]) {
    pen.beginPath(); path(); pen.strokeStyle = style; pen.lineWidth = (width + extra) * devicePixelRatio; pen.stroke();
  }
}
function drawBox([x0, y0, x1, y1], object, scale) {
  stroke(() => pen.rect(x0 * scale, y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale), state.colours[object], 2);
}
function drawPoint({ x, y, label, object }, scale) {
  const r = 6 * devicePixelRatio, cx = x * scale, cy = y * scale;
  if (label) {
    pen.beginPath(); pen.arc(cx, cy, r, 0, 7); pen.fillStyle = state.colours[object]; pen.fill();
    stroke(() => pen.arc(cx, cy, r, 0, 7), "#fff", 1.5);
  } else {
    stroke(() => { pen.moveTo(cx - r, cy - r); pen.lineTo(cx + r, cy + r); pen.moveTo(cx - r, cy + r);
                   pen.lineTo(cx + r, cy - r); }, state.colours[object], 3);
  }
}

// ---- the lists ----
function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
function swatch(id) {
  const made = element("span", { className: "swatch" });
  made.style.background = state.colours[id]; made.ariaHidden = "true";
  return made;
}
function objectItem({ id, name }) {
  const radio = element("input", { type: "radio", name: "object", id: `pick-${id}`, ariaLabel: `Select object ${id}` });
  radio.onchange = () => { current = id; show(); };
  const field = element("input", { type: "text", id: `name-${id}`, value: name, maxLength: 80, placeholder: `object ${id}`, ariaLabel: `Name of object ${id}` });
  field.onchange = () => rename(id, field.value.trim());
  field.onfocus = () => { current = id; radio.checked = true; };
  const remove = element("button", { textContent: "✕", ariaLabel: `Delete object ${id} and its clicks` });
  remove.onclick = () => removeObject(id);
  return element("li", { id: `object-${id}` }, radio, swatch(id), field, remove);
}
function markItem(mark) {
  const text = mark.box ? `box ${mark.box.join(", ")}` : `${mark.label ? "on" : "beside"} ${mark.x}, ${mark.y}`;
  const remove = element("button", { textContent: "✕", ariaLabel: `Delete ${text} of ${title(mark.object)}` });
  remove.onclick = () => removeMark(mark);
  return element("li", {}, swatch(mark.object), element("span", { className: "grow" }, `${title(mark.object)}: ${text}`), remove);
}
function showObjects() {
  const wanted = JSON.stringify(doc.objects);
  if (wanted !== listed) $("objects").replaceChildren(...doc.objects.map(objectItem));
  listed = wanted;
  $(`pick-${current}`).checked = true;
}
function show() {
  showObjects();
  $("marks").replaceChildren(...(here().length ? here().map(markItem) : [element("li", { className: "dim" }, "nothing yet")]));
  const frames = [...new Set(doc.marks.map(mark => mark.frame))].sort((a, b) => a - b);
  $("marked").replaceChildren(...(frames.length ? frames.map(index => {
    const jump = element("button", { textContent: index, ariaLabel: `Go to frame ${index}` });
    jump.onclick = () => go(index);
    return jump;
  }) : ["none"]));
  showMasks();
  if (!timer) wantMasks();
  $("undo").disabled = !past.length; $("redo").disabled = !future.length;
  $("where").textContent = `${frame} of 0–${state.frames - 1}`;
  $("slider").value = frame;
  canvas.ariaLabel = `Frame ${frame}, ${here().length} clicks`;
  draw();
}
function go(index) { frame = Math.max(0, Math.min(state.frames - 1, index)); corner = null; show(); }
function play() {
  timer = timer ? clearInterval(timer) : setInterval(() => go((frame + 1) % state.frames), 100);
  $("play").textContent = timer ? "Pause" : "Play"; $("play").ariaPressed = String(Boolean(timer));
  show();
}

// ---- the server ----
function say(text, bad = false) { $("status").textContent = text; $("status").className = bad ? "bad" : ""; }
async function content(answer) {
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}
async function post(path, values, signal) {
  const headers = { "Content-Type": "application/json" };
  return content(await fetch(path, { method: "POST", headers, body: JSON.stringify(values), signal }));
}
async function send(path) { return (await post(path, prompts())).block; }
let told = 0;
async function tell() {
  const turn = ++told;
  try {
    const block = await send("/api/block");
    if (turn !== told) return;
    $("block").textContent = block; $("save").disabled = $("copy").disabled = false;
  } catch (error) {
    if (turn !== told) return;
    say(error.message, true); $("save").disabled = $("copy").disabled = true;
  }
}
async function save() {
  const what = JSON.stringify(prompts());
  try { await send("/api/save"); saved = what; say(`Saved into ${state.config}, scenes: ${state.scene}`); }
  catch (error) { say(`Not saved: ${error.message}`, true); }
}
async function copy() {
  try { await navigator.clipboard.writeText($("block").textContent); say("Copied"); }
  catch { getSelection().selectAllChildren($("block")); say("Selected; press Ctrl+C to copy"); }
}

// ---- masks ----
const REACH = 2;                                                   // how far the neighbouring frames go
let masks = new Map(), asked = new Map();                          // by object and frame; requests on their way, by object

// A mask holds as long as what it was made from is the same: all that is clicked in its frames.
const hasPlace = entry => entry.box || entry.labels.some(Boolean);
const near = (at, reach) => prompts().filter(entry => Math.abs(entry.frame - at) <= reach && hasPlace(entry));
function basis(object, at, reach) {
  return JSON.stringify(near(at, reach).map(({ name, labels, points, ...rest }) => rest.object === object
    ? { ...rest, points, labels } : { frame: rest.frame, beside: points.filter((_, i) => labels[i]) }));
}
function maskOf(object) {
  const mask = masks.get(`${object} ${frame}`);
  return mask && mask.basis === basis(object, mask.at, mask.reach) ? mask : null;
}
function wantMasks() {
  for (const object of new Set(near(frame, 0).map(entry => entry.object))) {
    const request = asked.get(object);
    const comes = request?.at === frame && request.basis === basis(object, frame, request.reach);
    if (!comes && !maskOf(object)) ask(object, frame, 0);
  }
}
async function ask(object, at, reach) {
  const wanted = basis(object, at, reach), before = asked.get(object);
  if (before?.basis === wanted && before.at === at && before.reach === reach) return;
  before?.abort.abort();
  const request = { at, reach, basis: wanted, abort: new AbortController() };
  asked.set(object, request); showMasks();
  try {
    const made = await post("/api/masks", { object, frame: at, reach, prompts: near(at, reach) }, request.abort.signal);
    for (const mask of made.masks) keep(request, object, mask.frame, { ...made, picture: picture(mask.picture) });
    if (reach) tellNeighbours(object, made.masks);
  } catch (error) {
    if (request.abort.signal.aborted) return;
    if (!reach) keep(request, object, at, { error: error.message });
    say(`${title(object)}: no mask: ${error.message}`, true);
  } finally {
    if (asked.get(object) === request) { asked.delete(object); showMasks(); draw(); }
  }
}
function keep({ at, reach, basis, abort }, object, index, made) {
  if (!abort.signal.aborted) masks.set(`${object} ${index}`, { at, reach, basis, ...made });
}
function picture(source) {
  if (!source) return null;
  const image = new Image();
  image.onload = draw; image.src = source;
  return image;
}
function tellNeighbours(object, made) {
  const lost = made.filter(mask => !mask.picture).map(mask => mask.frame);
  say(`${title(object)}: masks of frames ${made[0].frame} to ${made.at(-1).frame}${lost.length ? `; lost in ${lost.join(", ")}` : ""}`, Boolean(lost.length));
}
function maskItem(object) {
  const mask = maskOf(object), waits = asked.get(object);
  const [text, bad] = waits && !mask ? ["is being cut out …", false]
    : mask.error ? [`no mask: ${mask.error}`, true]
    : !mask.picture ? [`lost here (carried from frame ${mask.at})`, true]
    : [`confidence ${mask.confidence.toFixed(2)}${mask.warnings.length ? `: ${mask.warnings.join("; ")}` : ""}`, Boolean(mask.warnings.length)];
  return element("li", {}, swatch(object), element("span", { className: bad ? "grow bad" : "grow" }, `${title(object)}: ${text}`));
}
function showMasks() {
  const known = doc.objects.map(object => object.id).filter(id => maskOf(id) || asked.get(id)?.at === frame);
  $("masks").replaceChildren(...(known.length ? known.map(maskItem) : [element("li", { className: "dim" }, "none yet")]));
  $("neighbours").disabled = !near(frame, 0).some(entry => entry.object === current);
}
async function loadMaker() {
  $("maker").textContent = "(loading …)";
  try { $("maker").textContent = `by ${(await content(await fetch("/api/masks"))).name}, as in segment_objects`; }
  catch (error) { $("maker").textContent = `cannot be made: ${error.message}`; $("maker").className = "bad"; }
}

// ---- the mouse ----
function at(event) {
  const box = canvas.getBoundingClientRect();
  const inside = (value, most) => Math.max(0, Math.min(most, value));
  return { x: inside((event.clientX - box.left) / box.width * state.width, state.width),
           y: inside((event.clientY - box.top) / box.height * state.height, state.height) };
}
canvas.onpointerdown = event => {
  if (event.button !== 0 && event.button !== 2) return;
  canvas.setPointerCapture(event.pointerId); cursor = null;
  drag = { from: at(event), to: at(event), px: event.clientX, py: event.clientY, moved: false, beside: event.button === 2 || event.altKey };
};
canvas.onpointermove = event => {
  if (!drag) return;
  drag.to = at(event);
  drag.moved ||= !drag.beside && Math.hypot(event.clientX - drag.px, event.clientY - drag.py) > 4;
  draw();
};
canvas.onpointerup = () => {
  if (!drag) return;
  const { from, to, moved, beside } = drag;
  drag = null;
  moved ? addBox(from, to) : addPoint(from.x, from.y, beside ? 0 : 1);
};
canvas.onpointercancel = () => { drag = null; draw(); };
canvas.oncontextmenu = event => event.preventDefault();

// ---- the keyboard ----
function onCanvas(event) {
  const key = event.key.toLowerCase(), step = event.shiftKey ? 1 : 10;
  const move = { w: [0, -step], a: [-step, 0], s: [0, step], d: [step, 0] }[key];
  if (!move && !["enter", "x", "b", "escape"].includes(key)) return false;
  if (key === "escape") { cursor = corner = null; draw(); return true; }
  cursor ||= { x: state.width / 2, y: state.height / 2 };
  if (move) cursor = { x: Math.max(0, Math.min(state.width, cursor.x + move[0])), y: Math.max(0, Math.min(state.height, cursor.y + move[1])) };
  else if (key === "b" && corner) { const first = corner; corner = null; addBox(first, cursor); }
  else if (key === "b") { corner = { ...cursor }; say("first corner of a box; move on and press B again"); }
  else addPoint(cursor.x, cursor.y, key === "x" ? 0 : 1);
  if (move) say(`crosshair at ${clean(cursor.x)}, ${clean(cursor.y)}`);
  draw();
  return true;
}
function onPage(event) {
  const key = event.key, digit = doc.objects[Number(key) - 1];
  if (key === "ArrowLeft") go(frame - (event.shiftKey ? 10 : 1));
  else if (key === "ArrowRight") go(frame + (event.shiftKey ? 10 : 1));
  else if (key === "Delete" || key === "Backspace") { if (here().length) removeMark(here().at(-1)); }
  else if (key.toLowerCase() === "n") addObject();
  else if (digit) { current = digit.id; show(); }
  else if (key === " " && event.target.tagName !== "BUTTON" && event.target.type !== "radio") play();
  else return false;
  return true;
}
document.onkeydown = event => {
  if (!state || event.target.type === "text" || event.altKey) return;
  const key = event.key.toLowerCase();
  let used = true;
  if (event.ctrlKey || event.metaKey) {
    if (key === "z" && !event.shiftKey) travel(past, future);
    else if (key === "y" || key === "z") travel(future, past);
    else used = false;
  } else if (["radio", "range"].includes(event.target.type) && key.startsWith("arrow")) used = false;
  else used = (event.target === canvas && onCanvas(event)) || onPage(event);
  if (used) event.preventDefault();
};

// ---- the start ----
function fit() {
  const width = Math.round(canvas.clientWidth * devicePixelRatio) || state.width;
  canvas.width = width; canvas.height = Math.round(width * state.height / state.width);
  draw();
}
async function start() {
  state = await (await fetch("/api/state")).json();
  document.title = `Pick prompts: ${state.scene}`;
  $("about").textContent = `${state.scene}: ${state.video}, ${state.frames} frames of ${state.width}×${state.height}`;
  $("slider").max = state.frames - 1;
  doc = fromPrompts(state.prompts); current = doc.objects[0].id; saved = JSON.stringify(prompts());
  canvas.style.aspectRatio = `${state.width} / ${state.height}`;
  canvas.style.maxWidth = `calc(70vh * ${state.width / state.height})`;
  images = Array.from({ length: state.frames }, (_, index) => {
    const image = new Image();
    image.onload = () => { if (index === frame) draw(); };
    image.src = `/frames/${index}`;
    return image;
  });
  new ResizeObserver(fit).observe(canvas);
  show(); tell(); loadMaker();
}
$("previous").onclick = () => go(frame - 1); $("next").onclick = () => go(frame + 1); $("play").onclick = play;
$("slider").oninput = event => go(Number(event.target.value));
$("add").onclick = addObject; $("undo").onclick = () => travel(past, future); $("redo").onclick = () => travel(future, past);
$("neighbours").onclick = () => ask(current, frame, REACH); $("masked").onchange = draw;
$("save").onclick = save; $("copy").onclick = copy;
addEventListener("beforeunload", event => { if (state && JSON.stringify(prompts()) !== saved) event.preventDefault(); });
start().catch(error => say(`The page could not start: ${error.message}`, true));
