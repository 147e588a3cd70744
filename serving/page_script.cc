#include "serving/index_page.h"

namespace serving {

// Plain JavaScript, without a build step and without anything from elsewhere.
const std::string& PageScript() {
  static const std::string script(R"js('use strict';
(() => {
const EVERY_MS = 2000;       // between two questions
const ANSWER_MS_MAX = 5000;  // then the server counts as not reachable
const POINTS_MAX = 150;      // five minutes
const LATENCY_POINTS = 5;    // latency is of the last ten seconds
const RESTORE_POINTS = 15;   // time left goes by the last half minute
const ROWS_MAX = 200;        // of a table
const SVG = 'http://www.w3.org/2000/svg';

const byId = (id) => document.getElementById(id);
const element = (name, text, className) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};
const shape = (name, attributes, text) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
};
const list = (value) => Array.isArray(value) ? value : [];
const object = (value) => value !== null && typeof value === 'object' ? value : {};
const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

const count = (value) => isNumber(value) ? Math.round(value).toLocaleString('en') : '?';
const rate = (value) => !isNumber(value) ? '?' :
    value === 0 || value >= 10 ? count(value) : value.toFixed(1);
const seconds = (value) => !isNumber(value) ? '?' :
    value < 0.0995 ? (value * 1000).toFixed(value < 0.00995 ? 1 : 0) + ' ms' :
    value < 1 ? Math.round(value * 1000) + ' ms' : value.toFixed(value < 10 ? 2 : 1) + ' s';
const duration = (value) => {
  if (!isNumber(value)) return '?';
  const s = Math.round(value);
  if (s < 60) return s + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' min' + (s % 60 ? ' ' + s % 60 + ' s' : '');
  if (s < 172800) return Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' min';
  return Math.floor(s / 86400) + ' days';
};
const clock = (ms) => new Date(ms).toLocaleTimeString();

/// {name: [{labels, value}]} of the metrics that are shown.
const SHOWN = new Set(['herald_records_consumed_total', 'herald_end_to_end_latency_seconds_bucket',
    'herald_http_requests_total', 'herald_dead_letters_total']);
const readMetrics = (text) => {
  const found = {};
  for (const line of text.split('\n')) {
    const name = /^[a-z_]+/.exec(line);
    if (!name || !SHOWN.has(name[0])) continue;
    const labels = {};
    for (const part of line.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)) labels[part[1]] = part[2];
    const value = Number(line.slice(line.lastIndexOf(' ') + 1));
    if (!Number.isNaN(value)) (found[name[0]] ||= []).push({labels, value});
  }
  return found;
};
const totalOf = (metrics, name) => sum((metrics[name] || []).map((sample) => sample.value));

/// [{le, value}] by rising le, summed over everything else.
const bucketsOf = (metrics) => {
  const by = new Map();
  for (const {labels, value} of metrics.herald_end_to_end_latency_seconds_bucket || []) {
    const le = labels.le === '+Inf' ? Infinity : Number(labels.le);
    by.set(le, (by.get(le) || 0) + value);
  }
  return [...by].sort((a, b) => a[0] - b[0]);
};
/// The quantile of what came between two readings; null when nothing did.
const quantile = (q, now, before) => {
  const old = new Map(before);
  const grown = now.map(([le, value]) => [le, value - (old.get(le) || 0)]);
  const all = grown.length ? grown[grown.length - 1][1] : 0;
  if (all <= 0) return null;
  let below = 0, from = 0;
  for (const [le, value] of grown) {
    if (value >= q * all) {
      if (le === Infinity) return from;
      return from + (le - from) * (value === below ? 1 : (q * all - below) / (value - below));
    }
    below = value;
    from = le;
  }
  return from;
};

/// One card: a figure, a sentence and a chart with one line or two.
class Chart {
  constructor(title, format, names) {
    this.format = format;
    this.names = names || [];
    this.lines = this.names.length || 1;
    const card = element('section', undefined, 'card');
    card.append(element('h2', title));
    this.value = card.appendChild(element('div', '…', 'value'));
    this.note = card.appendChild(element('div', '', 'note'));
    this.title = title;
    this.svg = card.appendChild(shape('svg', {role: 'img'}));
    if (this.names.length) {
      const legend = card.appendChild(element('div', undefined, 'note legend'));
      for (const name of this.names) {
        const entry = legend.appendChild(element('span'));
        entry.append(element('i'), name);
      }
    }
    byId('cards').append(card);
  }

  /// `points`: [time, value or null, …] by time; `value` and `note` for people.
  show(value, note, points, now) {
    this.value.textContent = value;
    this.note.textContent = note;
    const numbers = points.flatMap((point) => point.slice(1)).filter(isNumber);
    const max = niceMax(Math.max(0, ...numbers));
    const width = this.svg.clientWidth || 300, height = this.svg.clientHeight || 100;
    this.svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const bottom = height - 14, top = 12;
    // As long as there is something to show, and a minute at least.
    const span = Math.min(POINTS_MAX * EVERY_MS, Math.max(60000, now - points[0][0]));
    const x = (time) => Math.max(0, width - (now - time) / span * width);
    const y = (number) => bottom - number / max * (bottom - top);
    const parts = [
      shape('line', {class: 'axis', x1: 0, x2: width, y1: bottom, y2: bottom}),
      shape('line', {class: 'axis', x1: 0, x2: width, y1: top, y2: top, 'stroke-dasharray': '2 4'}),
      shape('text', {x: 0, y: top - 3}, this.format(max)),
      shape('text', {x: 0, y: height - 2}, duration(span / 1000) + ' ago'),
      shape('text', {x: width, y: height - 2, 'text-anchor': 'end'}, 'now'),
    ];
    for (let line = this.lines; line >= 1; --line) {
      let run = [];
      const draw = () => {
        const className = line === 1 ? 'one' : 'two';
        if (run.length === 1) run.push([run[0][0] + 1.5, run[0][1]]);
        const points = run.map((point) => point.join()).join(' ');
        if (run.length) parts.push(shape('polyline', {class: className, points}));
        run = [];
      };
      for (const point of points) {
        if (isNumber(point[line])) run.push([x(point[0]), y(point[line])]);
        else draw();
      }
      draw();
    }
    this.svg.replaceChildren(...parts);
    this.svg.setAttribute('aria-label', `${this.title}: now ${value}, in the last ` +
        duration(span / 1000) + ' at most ' + (numbers.length ? this.format(Math.max(...numbers)) : 'unknown'));
  }
}
const niceMax = (value) => {
  if (!(value > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 5, 10].map((step) => step * unit).find((step) => step >= value * 0.9999);
};

const charts = {
  events: new Chart('Records read', (n) => rate(n) + '/s'),
  lag: new Chart('Lag', (n) => count(n) + ' records'),
  latency: new Chart('Latency, event to inbox', seconds, ['99 of 100', 'half']),
  http: new Chart('HTTP requests', (n) => rate(n) + '/s'),
};

/// What was heard, oldest first; a silence is one with nothing but its time.
const samples = [];
let silentSince = null;

const take = (status, text) => {
  const metrics = readMetrics(text);
  const inputs = list(status.tasks).flatMap((task) => list(task.inputs));
  const restores = {};
  for (const task of list(status.tasks)) {
    const left = sum(Object.values(object(task.restore_remaining)).filter(isNumber));
    if (task.state === 'restoring') restores[String(task.id)] = left;
  }
  return {
    time: Date.now(),
    started: status.started,
    consumed: totalOf(metrics, 'herald_records_consumed_total'),
    requests: totalOf(metrics, 'herald_http_requests_total'),
    deadLetters: totalOf(metrics, 'herald_dead_letters_total'),
    buckets: bucketsOf(metrics),
    lag: inputs.some((input) => isNumber(input.lag)) ?
        sum(inputs.map((input) => input.lag).filter(isNumber)) : null,
    restores,
  };
};
/// Of one life of the process: its counters go on from one to the other.
const together = (a, b) => a !== undefined && a.started !== undefined && a.started === b.started;
const rateOf = (field, now, before) => together(before, now) ?
    Math.max(0, now[field] - before[field]) / ((now.time - before.time) / 1000) : null;
const earlier = (index, points) => {
  let first = index;
  while (first > 0 && index - first < points && together(samples[first - 1], samples[index])) {
    --first;
  }
  return samples[first];
};

const drawCharts = () => {
  const now = Date.now();
  const last = samples.length - 1;
  const pointsOf = (value) => samples.map((sample, i) =>
      [sample.time].concat(sample.started === undefined ? [null, null] : value(sample, i)));
  const newest = samples[last];
  const events = pointsOf((sample, i) => [rateOf('consumed', sample, samples[i - 1])]);
  const http = pointsOf((sample, i) => [rateOf('requests', sample, samples[i - 1])]);
  const latency = pointsOf((sample, i) => {
    const before = earlier(i, LATENCY_POINTS);
    return before === sample ? [null, null] :
        [0.99, 0.5].map((q) => quantile(q, sample.buckets, before.buckets));
  });
  const of = (points, line, text, missing) =>
      isNumber(points[last][line]) ? text(points[last][line]) : missing;
  const dead = newest.deadLetters;
  charts.events.show(of(events, 1, (n) => rate(n) + '/s', '…'),
      isNumber(newest.consumed) ? count(newest.consumed) + ' since its start, ' +
      (dead === 1 ? '1 dead letter' : count(dead) + ' dead letters') : '', events, now);
  charts.lag.show(isNumber(newest.lag) ? count(newest.lag) + ' records' : '?',
      newest.lag === 0 ? 'Everything there is has been read' :
      isNumber(newest.lag) ? 'Waiting to be read here' : '',
      pointsOf((sample) => [sample.lag]), now);
  charts.latency.show(of(latency, 1, seconds, '–'),
      of(latency, 2, (n) => 'Half of them within ' + seconds(n),
          'No event was measured in the last 10 s'), latency, now);
  charts.http.show(of(http, 1, (n) => rate(n) + '/s', '…'),
      'This page asks twice every two seconds', http, now);
};

const row = (cells) => {
  const made = element('tr');
  for (const [text, isNumeric] of cells) {
    made.append(element('td', text, isNumeric ? 'number' : ''));
  }
  return made;
};
const fill = (body, rows) => {
  const shown = rows.slice(0, ROWS_MAX);
  if (rows.length > ROWS_MAX) shown.push(row([[`and ${rows.length - ROWS_MAX} more rows`]]));
  body.replaceChildren(...shown);
};
const ranges = (numbers) => {
  const sorted = list(numbers).filter(isNumber).sort((a, b) => a - b);
  const parts = [];
  for (let i = 0; i < sorted.length;) {
    let end = i;
    while (end + 1 < sorted.length && sorted[end + 1] === sorted[end] + 1) ++end;
    parts.push(end > i ? sorted[i] + '–' + sorted[end] : String(sorted[i]));
    i = end + 1;
  }
  return parts.join(', ');
};

/// The most that was left of each restore: its whole, as far as this page has seen.
const restoreWhole = new Map();
const drawRestores = () => {
  const sample = samples[samples.length - 1];
  const before = earlier(samples.length - 1, RESTORE_POINTS);
  for (const id of [...restoreWhole.keys()]) if (!(id in sample.restores)) restoreWhole.delete(id);
  const rows = Object.entries(sample.restores).map(([id, left]) => {
    const whole = Math.max(restoreWhole.get(id) || 0, left);
    restoreWhole.set(id, whole);
    const since = id in before.restores ? before : sample;
    const elapsed = (sample.time - since.time) / 1000;
    const speed = elapsed > 0 ? (since.restores[id] - left) / elapsed : 0;
    const made = row([[id], [''], [count(left), true], [speed > 0 ? rate(speed) : '?', true],
        [speed > 0 ? duration(left / speed) : '?', true]]);
    const bar = element('progress');
    bar.max = Math.max(1, whole);
    bar.value = whole - left;
    bar.setAttribute('aria-label', 'restore of task ' + id);
    made.children[1].append(bar);
    return made;
  });
  byId('restores').hidden = rows.length === 0;
  fill(byId('restores').querySelector('tbody'), rows);
};

const drawTables = (status) => {
  const tasks = list(status.tasks).flatMap((task) => {
    const inputs = list(task.inputs);
    const first = [[String(task.id)], [String(task.state)]];
    if (inputs.length === 0) return [row([...first, [''], ['', true], ['', true]])];
    return inputs.map((input, i) => row([...(i === 0 ? first : [[''], ['']]),
        [`${input.topic}/${input.partition}`], [count(input.position), true],
        [count(input.lag), true]]));
  });
  if (tasks.length === 0) {
    tasks.push(row([['None: other instances have all partitions, or this one is starting']]));
  }
  fill(byId('tasks').querySelector('tbody'), tasks);
  const standbys = list(status.standbys);
  byId('standbys').textContent = standbys.length === 0 ? '' :
      'Warm copies of tasks of others: ' + standbys.slice(0, ROWS_MAX).join(', ');
  const instances = list(status.instances).map((instance) => {
    const partitions = Object.entries(object(instance.partitions))
        .map(([topic, numbers]) => topic + ' ' + ranges(numbers)).join('; ');
    const name = String(instance.id) + (instance.self === true ? ' (this one)' : '');
    const made = row([[name], [''], [partitions]]);
    const address = String(instance.address ?? '');
    // Nothing but a host and a port becomes a link.
    if (/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$/.test(address)) {
      const link = element('a', address);
      link.href = 'http://' + address + '/';
      made.children[1].append(link);
    } else {
      made.children[1].textContent = address || 'not known yet';
    }
    return made;
  });
  byId('instances').hidden = instances.length === 0;
  fill(byId('instances').querySelector('tbody'), instances);
};

const showState = (text, good) => {
  const state = byId('state');
  if (state.textContent !== text) state.textContent = text;
  state.className = 'state ' + (good ? 'good' : 'bad');
  document.title = (good ? '' : '⚠ ') + 'Herald';
};

const ask = async (path) => {
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const response = await fetch(path, {cache: 'no-store', signal});
  if (!response.ok) throw new Error(`${path} answers ${response.status}`);
  return response;
};

const look = async () => {
  try {
    const [status, text] = await Promise.all([
      ask('/v1/status').then((response) => response.json()),
      ask('/metrics').then((response) => response.text()),
    ]);
    samples.push(take(object(status), text));
    silentSince = null;
    byId('live').classList.remove('stale');
    const ready = status.ready === true;
    showState(ready ? 'Ready' : 'Not ready: ' + String(status.waiting_for), ready);
    const started = Date.parse(status.started);
    byId('facts').textContent = [`Instance ${status.instance}`, `version ${status.version}`,
        Number.isNaN(started) ? '' : 'up for ' + duration((Date.now() - started) / 1000),
        `brokers ${status.brokers}`, `cluster ${status.cluster}`, String(status.guarantee)]
        .filter((part) => part !== '').join(' · ');
    drawTables(status);
    drawRestores();
  } catch (error) {
    silentSince ??= samples.length ? samples[samples.length - 1].time : Date.now();
    samples.push({time: Date.now(), restores: {}});
    byId('live').classList.add('stale');
    showState('Not reachable since ' + clock(silentSince), false);
  }
  while (samples.length > POINTS_MAX) samples.shift();
  drawCharts();
};

const goOn = async () => {
  if (!document.hidden) await look();
  setTimeout(goOn, EVERY_MS);
};
goOn();
})();
)js");
  return script;
}

}  // namespace serving
