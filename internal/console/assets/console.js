// The console's only script. It draws the chart and keeps the page fresh. Text
// from records reaches the page through the server's templates alone; nothing
// here builds markup from strings.

const root = document.documentElement;
const element = (id) => document.getElementById(id);
const state = () => new URLSearchParams(location.search);

// go opens the overview with values of the state changed; null takes one out.
function go(changes) {
  const next = state();
  next.delete("before");
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) next.delete(key);
    else next.set(key, value);
  }
  location.href = "/?" + next;
}

// ---- chart

let plot = null;

const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();

function two(n) {
  return String(n).padStart(2, "0");
}

function clock(seconds) {
  const d = new Date(seconds * 1000);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
}

function line(label, variable, fill, width) {
  return {
    label,
    stroke: () => color(variable),
    fill: () => color(fill),
    width,
    points: { show: false },
  };
}

function axis(extra) {
  return {
    stroke: () => color("--faint"),
    grid: { stroke: () => color("--line-soft"), width: 1 },
    ticks: { show: false },
    font: "11.5px " + color("--sans"),
    ...extra,
  };
}

function zoom(u) {
  const { left, width } = u.select;
  if (width < 4) return;
  const from = Math.floor(u.posToVal(left, "x") * 1000);
  const to = Math.ceil(u.posToVal(left + width, "x") * 1000);
  go({ from, to, last: null });
}

function point(u) {
  const i = u.cursor.idx;
  const at = (series) => (i == null || u.data[series][i] == null ? "" : u.data[series][i].toLocaleString("en"));
  element("at-detections").textContent = at(1);
  element("at-invocations").textContent = at(2);
  element("at-time").textContent = i == null ? "Drag to zoom in · UTC" : clock(u.data[0][i]) + " UTC";
}

function draw() {
  const box = element("chart");
  if (!box || !window.uPlot) return;
  const series = JSON.parse(box.dataset.series);
  const data = [series.time, series.detections, series.invocations]; // the second is drawn over the first
  if (plot) {
    plot.setData(data);
    return;
  }
  const size = () => ({ width: box.clientWidth, height: box.clientHeight });
  plot = new uPlot({
    ...size(),
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    padding: [10, 24, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
    scales: { y: { range: (u, min, max) => [0, Math.max(4, max * 1.1)] } },
    axes: [
      axis({ space: 90, size: 30, values: times }),
      axis({ size: 52, space: 44, incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6] }),
    ],
    series: [{}, line("Detections", "--red", "--red-wash", 2.5), line("Invocations", "--blue", "--blue-wash", 1.5)],
    hooks: { setSelect: [zoom], setCursor: [point] },
  }, data, box);
  new ResizeObserver(() => plot.setSize(size())).observe(box);
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// times labels the axis: dates from a step of a day on, seconds below a minute.
function times(u, splits, index, space, step) {
  return splits.map((t) => {
    const d = new Date(t * 1000);
    if (step >= 86400) return `${d.getUTCDate()} ${months[d.getUTCMonth()]}`;
    return step >= 60 ? clock(t).slice(0, 5) : clock(t);
  });
}

// ---- live updates

const quiet = 1000; // milliseconds between two looks at the server, at least
let live = true;
let wanted = false;
let looking = false;

// look asks for this page again and takes over what changed. A document that an
// XMLHttpRequest parsed never runs scripts.
function look() {
  if (looking || !live || document.hidden) {
    wanted = true;
    return;
  }
  wanted = false;
  looking = true;
  const began = performance.now();
  const request = new XMLHttpRequest();
  request.responseType = "document";
  request.open("GET", location.href);
  request.onload = () => {
    if (request.status === 200 && request.response) take(request.response);
  };
  request.onloadend = () => setTimeout(() => {
    looking = false;
    if (wanted) look();
  }, Math.max(quiet, 4 * (performance.now() - began))); // a large store takes longer
  request.send();
}

function take(page) {
  const seen = newest();
  for (const selector of [".tiles", ".grid", "#detections", ".foot"]) {
    const mine = document.querySelector(selector);
    const theirs = page.querySelector(selector);
    if (mine && theirs) mine.replaceWith(document.adoptNode(theirs));
  }
  for (const selector of [".banner", ".message"]) {
    const mine = document.querySelector(selector);
    const theirs = page.querySelector(selector);
    if (mine && !theirs) mine.remove();
    else if (mine && theirs) mine.replaceWith(document.adoptNode(theirs));
    else if (theirs) element("fresh").prepend(document.adoptNode(theirs));
  }
  for (const row of document.querySelectorAll("#detections .row")) {
    if (Number(row.dataset.seq) > seen) row.classList.add("new");
  }
  element("chart").dataset.series = page.getElementById("chart").dataset.series;
  draw();
}

function newest() {
  let most = 0;
  for (const row of document.querySelectorAll("#detections .row")) most = Math.max(most, Number(row.dataset.seq));
  return most;
}

function listen() {
  const button = element("live");
  if (!button || !element("chart")) return;
  button.hidden = false;
  const label = button.querySelector("span");
  const say = () => {
    button.setAttribute("aria-pressed", String(live));
    label.textContent = live ? "Live" : "Paused";
  };
  if (state().has("before")) live = false; // reading older pages: nothing moves
  say();
  button.onclick = () => {
    live = !live;
    say();
    if (live) look();
  };
  const events = new EventSource("/live");
  events.onmessage = look;
  events.onopen = () => button.classList.remove("lost");
  events.onerror = () => {
    button.classList.add("lost");
    label.textContent = "Reconnecting";
    events.addEventListener("open", () => { say(); look(); }, { once: true });
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden && wanted) look(); });
}

// ---- theme, keys, the match

function theme() {
  const button = element("theme");
  button.hidden = false;
  button.onclick = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    document.cookie = `gatehouse_theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=strict`;
    if (plot) plot.redraw();
  };
}

function keys() {
  let at = -1;
  const links = () => [...document.querySelectorAll("#detections .c-type a")];
  const move = (by) => {
    const all = links();
    at = Math.min(Math.max(at + by, 0), all.length - 1);
    if (all[at]) all[at].focus();
  };
  const follow = (id) => { const link = element(id); if (link) link.click(); };
  const actions = {
    "/": () => element("q") && element("q").focus(),
    j: () => (element("detections") ? move(1) : follow("older")),
    k: () => (element("detections") ? move(-1) : follow("newer")),
  };
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || /INPUT|TEXTAREA/.test(e.target.tagName)) return;
    if (!actions[e.key]) return;
    e.preventDefault();
    actions[e.key]();
  });
}

// center scrolls a pane, and only the pane, to the marked place in it.
function center(mark) {
  const pane = mark.closest("pre");
  const to = mark.getBoundingClientRect().top - pane.getBoundingClientRect().top;
  pane.scrollTop += to - pane.clientHeight / 3;
  return pane;
}

function reveal() {
  for (const pane of document.querySelectorAll("pre.payload, pre.doc")) {
    const mark = pane.querySelector("mark");
    if (mark) center(mark);
  }
  const jump = element("to-mark");
  if (jump) jump.onclick = (e) => { e.preventDefault(); center(element("mark")).focus(); };
}

draw();
theme();
keys();
reveal();
if (!document.body.hasAttribute("data-static")) listen();
