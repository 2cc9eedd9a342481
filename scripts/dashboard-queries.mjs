// As much of PromQL as the dashboard uses.

/** What `$__rate_interval` is here. */
const WINDOW_S = 10;

/** Samples of the text format, each with further labels. */
export function samplesOf(text, further) {
  return text.split('\n').flatMap((line) => {
    const [, name, inner = '', value] = /^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) return [];
    const labels = Object.fromEntries([...inner.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label, text]));
    return [{ name, labels: { ...labels, ...further }, value: Number(value.replace('+Inf', 'Infinity')) }];
  });
}

/** The vector that a query gives at one of the looks. */
export function evaluate(query, looks, at) {
  const quantile = /^histogram_quantile\(([\d.]+), (.*)\)$/.exec(query);
  if (quantile !== null) return quantilesOf(Number(quantile[1]), evaluate(quantile[2], looks, at));
  const aggregation = /^(sum|max)(?: by \(([^)]*)\) )?\((.*)\)$/.exec(query);
  if (aggregation !== null) {
    const [, kind, names = '', inner] = aggregation;
    return aggregated(kind, names === '' ? [] : names.split(', '), evaluate(inner, looks, at));
  }
  const change = /^(rate|increase)\((\w+)\[\$__rate_interval\]\)$/.exec(query);
  if (change !== null) return changes(change[2], looks, at, change[1] === 'rate' ? 1 : WINDOW_S);
  if (!/^\w+$/.test(query)) throw new Error(`not understood: ${query}`);
  return looks[at].samples.filter(({ name }) => name === query);
}

/** By second over the window, times `factor`; nothing where a series has no two samples in it. */
function changes(metric, looks, at, factor) {
  const since = looks.slice(0, at + 1).filter(({ seconds }) => seconds >= looks[at].seconds - WINDOW_S);
  const elapsed = since.at(-1).seconds - since[0].seconds;
  if (elapsed === 0) return [];
  const before = new Map(
    since[0].samples.filter(({ name }) => name === metric).map((each) => [keyOf(each.labels), each.value]),
  );
  return looks[at].samples
    .filter(({ name, labels }) => name === metric && before.has(keyOf(labels)))
    .map(({ labels, value }) => ({ labels, value: ((value - before.get(keyOf(labels))) / elapsed) * factor }));
}

function aggregated(kind, names, vector) {
  const groups = new Map();
  for (const { labels, value } of vector) {
    const kept = Object.fromEntries(names.map((name) => [name, labels[name] ?? '']));
    const group = groups.get(keyOf(kept)) ?? { labels: kept, value: kind === 'sum' ? 0 : -Infinity };
    group.value = kind === 'sum' ? group.value + value : Math.max(group.value, value);
    groups.set(keyOf(kept), group);
  }
  return [...groups.values()];
}

/** Within its bucket a quantile lies as far as the ranks below it. */
function quantilesOf(share, buckets) {
  const groups = new Map();
  for (const { labels, value } of buckets) {
    const { le, ...rest } = labels;
    const group = groups.get(keyOf(rest)) ?? { labels: rest, bounds: [] };
    group.bounds.push([le === '+Inf' ? Infinity : Number(le), value]);
    groups.set(keyOf(rest), group);
  }
  return [...groups.values()].flatMap(({ labels, bounds }) => {
    bounds.sort(([one], [other]) => one - other);
    const total = bounds.at(-1)[1];
    if (!(total > 0)) return [];
    const rank = share * total;
    const index = bounds.findIndex(([, count]) => count >= rank);
    const [from, below] = bounds[index - 1] ?? [0, 0];
    const [to, count] = bounds[index];
    return [{ labels, value: to === Infinity ? from : from + ((to - from) * (rank - below)) / (count - below) }];
  });
}

function keyOf(labels) {
  return JSON.stringify(Object.entries(labels).sort());
}
