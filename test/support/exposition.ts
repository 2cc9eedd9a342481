// Reads metrics as Prometheus does (text format 0.0.4), and refuses what isn't exactly that.

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly help: string;
  readonly type: string;
  readonly samples: readonly Sample[];
}

const HELP = /^# HELP ([a-z_0-9]+) (\S.*)$/;
const TYPE = /^# TYPE ([a-z_0-9]+) (counter|gauge|histogram|summary)$/;
const SAMPLE = /^([a-z_0-9]+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"(?:,|$)/gy;

/** By name. Throws on a line of another form, on a metric without HELP and TYPE, and on the same sample twice. */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, { help: string; type: string; samples: Sample[] }>();
  const seen = new Set<string>();
  let name = '';
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, helped, help = ''] = HELP.exec(line) ?? [];
    const [, typed, type = ''] = TYPE.exec(line) ?? [];
    if (helped !== undefined) {
      name = helped;
      if (families.has(name)) throw new Error(`${name} is there twice`);
      families.set(name, { help, type: '', samples: [] });
      continue;
    }
    const family = families.get(name);
    if (typed !== undefined && typed === name && family !== undefined) {
      family.type = type;
      continue;
    }
    const sample = sampleOf(line);
    if (family === undefined || !belongs(sample.name, name, family.type)) throw new Error(`not of ${name}: ${line}`);
    const key = line.slice(0, line.lastIndexOf(' '));
    if (seen.has(key)) throw new Error(`twice: ${key}`);
    seen.add(key);
    family.samples.push(sample);
  }
  for (const [each, { type }] of families) if (type === '') throw new Error(`${each} has no TYPE`);
  return families;
}

/** The sum of a family's samples that have these labels; 0 where there is none. */
export function valueOf(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const family = parseExposition(text).get(name.replace(/_(count|sum)$/, '')) ?? parseExposition(text).get(name);
  const fits = (sample: Sample) =>
    sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value);
  return (family?.samples ?? []).filter(fits).reduce((sum, { value }) => sum + value, 0);
}

function sampleOf(line: string): Sample {
  const [, name, inner = '', number] = SAMPLE.exec(line) ?? [];
  if (name === undefined || number === undefined) throw new Error(`not a sample: ${line}`);
  const value = number === '+Inf' ? Infinity : Number(number);
  // Go's parser takes it in any case.
  if (Number.isNaN(value) && !/^nan$/i.test(number)) throw new Error(`not a number: ${line}`);
  const found = [...inner.matchAll(LABEL)];
  if (found.map(([whole]) => whole).join('') !== inner) throw new Error(`not labels: ${line}`);
  return { name, value, labels: Object.fromEntries(found.map(([, label = '', text = '']) => [label, text])) };
}

function belongs(sample: string, family: string, type: string): boolean {
  if (sample === family) return type !== 'histogram';
  return type === 'histogram' && ['_bucket', '_sum', '_count'].some((suffix) => sample === family + suffix);
}
