// The waveforms of a record on paper, with two callipers: SVG in millimetres, 25 mm/s and 10 mm/mV.

const NS = "http://www.w3.org/2000/svg";
const SPEED = 25, GAIN = 10, ROW = 20, TOP = 6, LEFT = 14;

function make(name, attributes = {}, text = "") {
  const element = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

export function polyline(points) {
  // Path of a list of [x, y] or null; a null breaks the line.
  let path = "", pen = false;
  for (const point of points) {
    if (!point) { pen = false; continue; }
    path += `${pen ? "L" : "M"}${point[0].toFixed(2)} ${point[1].toFixed(2)}`;
    pen = true;
  }
  return path;
}

function tracePath(signal, rate, middle) {
  return polyline(signal.map((mv, i) => mv === null ? null
    : [LEFT + i / rate * SPEED, middle - Math.max(-2, Math.min(2, mv)) * GAIN]));
}

function grid(width, height) {
  const group = make("g", { "aria-hidden": "true" });
  for (const [step, kind] of [[1, "g1"], [5, "g5"]]) {
    let path = "";
    for (let x = 0; x <= width; x += step) path += `M${LEFT + x} 0V${height}`;
    for (let y = 0; y <= height; y += step) path += `M${LEFT} ${y}H${LEFT + width}`;
    group.append(make("path", { d: path, class: kind }));
  }
  return group;
}

export function valueAt(signal, rate, seconds) {
  // mV at a time, or null where nothing was read.
  const value = signal[Math.round(seconds * rate)];
  return value === undefined ? null : value;
}

export function measure(signal, rate, from, to) {
  // Words on an interval and the difference of amplitude at its ends.
  const seconds = Math.abs(to - from);
  const a = valueAt(signal, rate, from), b = valueAt(signal, rate, to);
  const parts = [`${Math.round(1000 * seconds)} ms`];
  if (seconds > 0.2) parts.push(`${Math.round(60 / seconds)} per minute`);
  parts.push(a === null || b === null ? "no amplitude: nothing was read at an end"
    : `${(b - a).toFixed(2)} mV from the first to the second`);
  return parts.join(", ");
}

export function drawWaveform(result, id) {
  // Return an element with the chart and its callipers.
  const { signal, rate } = result;
  const leads = Object.keys(signal);
  const seconds = signal[leads[0]].length / rate;
  const width = Math.ceil(seconds * SPEED), height = TOP + ROW * leads.length;
  const svg = make("svg", { viewBox: `0 0 ${LEFT + width + 1} ${height}`, role: "img",
    "aria-label": `Twelve leads of ${seconds.toFixed(1)} seconds at 25 millimetres a second and 10 millimetres a millivolt` });
  svg.append(grid(width, height));
  leads.forEach((lead, row) => {
    const middle = TOP + ROW * (row + 0.5);
    svg.append(make("path", { d: tracePath(signal[lead], rate, middle), class: "trace" }));
    svg.append(make("text", { x: 1, y: middle + 1 }, lead));
  });
  const span = make("rect", { y: 0, height, class: "span" });
  const lines = [0, 1].map(() => make("line", { y1: 0, y2: height, class: "calliper" }));
  svg.append(span, ...lines);

  const chart = document.createElement("div");
  chart.className = "chart";
  chart.tabIndex = 0;
  chart.setAttribute("role", "region");
  chart.setAttribute("aria-label", "Waveforms, can be scrolled");
  chart.append(svg);

  const shown = leads.find((lead) => lead === "II" && signal[lead].some((v) => v !== null))
    ?? leads.find((lead) => signal[lead].some((v) => v !== null)) ?? leads[0];
  const form = document.createElement("div");
  form.className = "callipers";
  const choose = field(form, `Lead`, `${id}-lead`, "select");
  for (const lead of leads) choose.append(new Option(lead, lead, lead === shown, lead === shown));
  const ends = ["First calliper", "Second calliper"].map((name, i) => {
    const input = field(form, name, `${id}-end-${i}`, "input");
    Object.assign(input, { type: "range", min: 0, max: seconds, step: 0.002, value: i ? 1.6 : 0.8 });
    return input;
  });
  const output = document.createElement("output");
  output.setAttribute("for", ends.map((input) => input.id).join(" "));
  output.setAttribute("aria-live", "polite");

  function update() {
    const [a, b] = ends.map((input) => Number(input.value));
    [a, b].forEach((at, i) => {
      lines[i].setAttribute("x1", LEFT + at * SPEED);
      lines[i].setAttribute("x2", LEFT + at * SPEED);
      ends[i].setAttribute("aria-valuetext", `${at.toFixed(3)} seconds`);
    });
    span.setAttribute("x", LEFT + Math.min(a, b) * SPEED);
    span.setAttribute("width", Math.abs(b - a) * SPEED);
    output.textContent = `Lead ${choose.value}: ${measure(signal[choose.value], rate, a, b)}`;
  }

  let held = null;
  function place(event) {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * (LEFT + width + 1);
    return Math.max(0, Math.min(seconds, (x - LEFT) / SPEED));
  }
  svg.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") return;  // touch scrolls; the sliders move callipers
    const at = place(event);
    held = Math.abs(at - ends[0].value) <= Math.abs(at - ends[1].value) ? ends[0] : ends[1];
    svg.setPointerCapture(event.pointerId);
    held.value = at;
    update();
  });
  svg.addEventListener("pointermove", (event) => { if (held) { held.value = place(event); update(); } });
  svg.addEventListener("pointerup", () => { held = null; });
  for (const input of [choose, ...ends]) input.addEventListener("input", update);
  update();
  const out = document.createElement("div");
  out.append(chart, form, output);
  return out;
}

function field(form, name, id, kind) {
  const box = document.createElement("div"), label = document.createElement("label");
  const input = document.createElement(kind);
  label.htmlFor = input.id = id;
  label.textContent = name;
  box.append(label, input);
  form.append(box);
  return input;
}
