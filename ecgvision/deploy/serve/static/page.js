// The page: takes a file, asks the server, and shows what was read, or why it was not.

import { drawWaveform, polyline } from "./waveform.js";

const COLOURS = ["#d55e00", "#0072b2", "#007a58", "#b0447f"];  // Okabe and Ito 2008, darker on white
const JUMP = 0.04;  // share of the width over which no line is drawn
const PARTS = ["labels", "support", "signal", "page", "wfdb", "csv", "pdf"];
const FILES = { wfdb: ["WFDB", "ecg.zip", "application/zip"], csv: ["CSV", "ecg.csv", "text/csv"],
  pdf: ["PDF", "ecg.pdf", "application/pdf"] };
const REFUSALS = {
  unreadable_page: "No ECG could be read on this page with confidence.",
  unsupported_format: "This kind of file is not read.",
  damaged_file: "The file is damaged or incomplete.",
  too_large: "The file is too large.",
  over_time: "Reading took too long and was given up.",
  over_memory: "The file could not be read within the memory allowed.",
  slow_upload: "The file came too slowly.",
  too_many_requests: "Too many files at a time.",
  busy: "The server is busy.",
  unauthorized: "This server asks for a token.",
};
const $ = (id) => document.getElementById(id);
let token = "", model = null, last = null, working = false;

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

async function ask(path, body) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let reply;
  try {
    reply = await fetch(path, body ? { method: "POST", headers, body } : { headers });
  } catch {
    throw { code: "network", message: "The server cannot be reached.", remedy: "Is it still running?" };
  }
  const found = await reply.json();
  if (found.error && (found.results?.length ?? 1) === 1) throw found.error;  // no page of several
  return found;
}

async function describe() {
  try {
    model = await ask("v1/model");
    $("about").textContent = `ecgvision ${model.version}, reader ${model.reader}`
      + (model.student ? `, labels by ${model.student}. ` : ". No labels are given. ") + model.intended_use;
  } catch (error) {
    if (error.code === "unauthorized") $("token-form").hidden = false;
  }
}

async function read(file) {
  if (!file || working) return;
  last = file;
  working = true;
  $("problem").hidden = true;
  $("results").hidden = true;
  $("results").replaceChildren();
  $("status").textContent = "Reading the page";
  $("status").classList.add("busy");
  try {
    const query = PARTS.map((part) => `include=${part}`).join("&");
    const reading = await ask(`v1/digitize?${query}`, file);
    show(reading);
  } catch (error) {
    refuse(error);
  } finally {
    working = false;
    $("status").classList.remove("busy");
  }
}

function refusal(error) {
  const box = element("div", "", { class: "problem" });
  box.append(element("p", REFUSALS[error.code] ?? "This could not be read."));
  box.append(element("p", `${error.message}. ${error.remedy ?? ""}`, { class: "small" }));
  return box;
}

function refuse(error) {
  $("status").textContent = "";
  $("problem").replaceChildren(refusal(error));
  $("problem").hidden = false;
  if (error.code === "unauthorized") { $("token-form").hidden = false; $("token").focus(); }
  else $("problem").focus();
}

function show(reading) {
  const good = reading.results.filter((one) => !one.error).length;
  $("status").textContent = `${good} of ${reading.pages} ${reading.pages === 1 ? "page" : "pages"} read`;
  reading.results.forEach((result, i) => {
    const article = element("article");
    article.append(element("h2", reading.pages === 1 ? "What was read" : `Page ${i + 1} of ${reading.pages}`));
    if (result.error) article.append(refusal(result.error));
    else fill(article, result, `page-${i}`);
    $("results").append(article);
  });
  $("results").hidden = false;
  $("results").focus();
}

function fill(article, result, id) {
  const found = Object.entries(result.leads).filter(([, lead]) => lead.seconds > 0);
  const missing = Object.keys(result.leads).filter((name) => !result.leads[name].seconds);
  const words = [`${found.length} of 12 leads found, with a confidence of ${percent(result.confidence)}.`];
  if (missing.length) words.push(`Not found: ${missing.join(", ")}.`);
  words.push(`The print was taken to be at ${result.gain_mm_per_mv_at_25_mm_per_s} mm/mV and 25 mm/s.`);
  if (result.layout && !result.layout.grid) words.push("No grid was seen: times and amplitudes are a guess.");
  if (result.layout?.assumed) words.push("The layout is assumed: hardly any name of a lead could be read.");
  article.append(element("p", words.join(" ")));
  article.append(sheet(result.page, id, result.labels));
  if (result.labels && model) article.append(diagnoses(result.labels));
  article.append(element("h3", "Waveforms"));
  article.append(drawWaveform(result, id));
  article.append(element("p", "Drawn at 25 mm/s and 10 mm/mV, at most 2 mV up and down. Drag in the chart, or move the callipers by their sliders.", { class: "small" }));
  article.append(downloads(result));
  article.append(confidences(result.leads));
}

function broken(points, far) {
  // The points with a null where a lead goes on elsewhere on the page.
  return points.flatMap((p, k) => {
    const before = points[k - 1];
    return p && before && Math.hypot(p[0] - before[0], p[1] - before[1]) > far ? [null, p] : [p];
  });
}

function band(points, part, far) {
  // Path of the points of one second, of which the page tells a hundred.
  return polyline(broken(points.slice(100 * part, 100 * (part + 1)), far));
}

function supportChooser(svg, page, labels, id) {
  // A choice of a label, whose support is drawn as bands behind the traces.
  const bands = document.createElementNS(svg.namespaceURI, "g");
  svg.prepend(bands);
  const row = element("div", "", { class: "switch" });
  const select = element("select", "", { id: `${id}-support` });
  select.append(new Option("nothing", ""));
  for (const code of Object.keys(labels.support)) select.append(new Option(model.labels[code] ?? code, code));
  select.addEventListener("change", () => {
    bands.replaceChildren();
    const support = labels.support[select.value] ?? {};
    const most = Math.max(...Object.values(support).flat().map((v) => Math.abs(v ?? 0)), 1e-6);
    for (const [lead, values] of Object.entries(support)) values.forEach((value, part) => {
      if (!page.traces[lead] || Math.abs(value ?? 0) < 0.15 * most) return;
      const path = document.createElementNS(svg.namespaceURI, "path");
      const attributes = { d: band(page.traces[lead], part, page.width * JUMP), fill: "none", stroke: value > 0 ? "#e66101" : "#5e3c99",
        "stroke-width": page.width / 70, "stroke-opacity": 0.55 * Math.abs(value) / most, "data-lead": lead };
      for (const [key, text] of Object.entries(attributes)) path.setAttribute(key, text);
      bands.append(path);
    });
  });
  row.append(element("label", "Mark what speaks for", { for: select.id }), select,
    element("span", "orange for it, violet against it", { class: "small" }));
  return row;
}

function sheet(page, id, labels) {
  const figure = element("figure"), box = element("div", "", { class: "sheet" });
  const image = element("img", "", { alt: page.flat ? "The page, made flat, with the traces that were read drawn over it" : "The page with the traces that were read drawn over it",
    src: page.image, width: page.width, height: page.height });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${page.width} ${page.height}`);
  svg.setAttribute("aria-hidden", "true");
  Object.entries(page.traces).forEach(([lead, points], i) => {
    const path = document.createElementNS(svg.namespaceURI, "path");
    const attributes = { d: polyline(broken(points, page.width * JUMP)), fill: "none", stroke: COLOURS[i % COLOURS.length],
      "stroke-width": page.width / 700, "stroke-opacity": 0.85 };
    for (const [key, value] of Object.entries(attributes)) path.setAttribute(key, value);
    const first = points.find((point) => point);
    const name = document.createElementNS(svg.namespaceURI, "text");
    const place = { x: first[0] + 3, y: Math.max(first[1] - page.width / 60, page.width / 60), fill: COLOURS[i % COLOURS.length],
      "font-size": page.width / 60, "font-weight": 700, stroke: "#fff", "stroke-width": page.width / 350, "paint-order": "stroke" };
    for (const [key, value] of Object.entries(place)) name.setAttribute(key, value);
    name.textContent = lead;
    svg.append(path, name);
  });
  box.append(image, svg);
  const row = element("div", "", { class: "switch" });
  const input = element("input", "", { type: "checkbox", id: `${id}-over`, checked: "" });
  input.addEventListener("change", () => box.classList.toggle("plain", !input.checked));
  row.append(input, element("label", "Show what was read over the page", { for: `${id}-over` }));
  figure.append(box, row);
  if (labels?.support && model) figure.append(supportChooser(svg, page, labels, id));
  figure.append(element("figcaption", "Each colour is one lead as it was read. Where the line leaves the print, or a name is wrong, the reading is wrong."));
  return figure;
}

function diagnoses(labels) {
  const box = element("div");
  box.append(element("h3", "Labels"));
  if (labels.error) { box.append(refusal(labels.error)); return box; }
  const table = element("table"), head = element("tr");
  for (const [name, kind] of [["Label", ""], ["Probability", "number"], ["Threshold", "number"]])
    head.append(element("th", name, { scope: "col", class: kind }));
  table.append(head);
  const rows = Object.entries(labels.probabilities).sort((a, b) => b[1] - a[1]);
  for (const [code, probability] of rows) {
    const above = labels.positive.includes(code);
    const row = element("tr", "", { class: above ? "above" : "" });
    const name = element("th", model.labels[code] ?? code, { scope: "row" });
    name.append(element("span", meaning(code, above), { class: "small" }));
    row.append(name,
      element("td", probability.toFixed(3), { class: "number" }),
      element("td", model.thresholds[code].toFixed(3), { class: "number" }));
    table.append(row);
  }
  const scroll = element("div", "", { class: "scroll" });
  scroll.append(table);
  box.append(scroll, element("p", `Thresholds were fitted on validation records. The student has learned from ${model.learned_from}; on other pages its answers may be wrong.`, { class: "small" }));
  return box;
}

function meaning(code, above) {
  if (code === "NORM") return above ? "At or above its threshold. This rules nothing out." : "Below its threshold.";
  return above ? "At or above its threshold: worth a look by someone who reads ECGs." : "Below its threshold. This does not rule it out.";
}

function downloads(result) {
  const row = element("p", "", { class: "buttons" });
  for (const [kind, [name, file, type]] of Object.entries(FILES)) {
    const bytes = Uint8Array.from(atob(result[kind]), (letter) => letter.charCodeAt(0));
    const link = element("a", `Download ${name}`, { class: "button second", download: file });
    link.href = URL.createObjectURL(new Blob([bytes], { type }));
    row.append(link);
  }
  const print = element("button", "Print", { class: "button second", type: "button" });
  print.addEventListener("click", () => window.print());
  row.append(print);
  return row;
}

function confidences(leads) {
  const details = element("details"), table = element("table"), head = element("tr");
  details.append(element("summary", "How sure the reader is of each lead"));
  for (const name of ["Lead", "Confidence", "Seconds found", "Expected error"])
    head.append(element("th", name, { scope: "col", class: name === "Lead" ? "" : "number" }));
  table.append(head);
  for (const [name, lead] of Object.entries(leads)) {
    const row = element("tr");
    const error = lead.seconds ? `${lead.expected_error_mv.toFixed(3)} mV` : "";
    row.append(element("th", name, { scope: "row" }), element("td", percent(lead.confidence), { class: "number" }),
      element("td", lead.seconds.toFixed(2), { class: "number" }), element("td", error, { class: "number" }));
    table.append(row);
  }
  const scroll = element("div", "", { class: "scroll" });
  scroll.append(table);
  details.append(scroll);
  return details;
}

const percent = (share) => `${Math.round(100 * share)} %`;

for (const id of ["file", "camera"])
  $(id).addEventListener("change", (event) => { read(event.target.files[0]); event.target.value = ""; });
$("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  await describe();
  if (last) read(last);
});
addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])][0];
  if (file) { event.preventDefault(); read(file); }
});
for (const name of ["dragenter", "dragover"])
  addEventListener(name, (event) => { event.preventDefault(); $("drop").classList.add("over"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").classList.remove("over"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  read(event.dataTransfer?.files[0]);
});
describe();
