// Finds what the code says to its log: each call of a level with its event and the names of its fields.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export interface LogCall {
  readonly level: string;
  readonly event: string;
  readonly fields: ReadonlySet<string>;
  /** It has fields whose names don't stand there. */
  readonly isOpen: boolean;
}

const LEVELS = ['debug', 'info', 'warn', 'error'];

/** Of all files below, except those of rooms that run elsewhere than in a gateway or worker. */
export function logCalls(src: string, elsewhere: readonly string[]): readonly LogCall[] {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
    (file) => /\.ts$/.test(file) && !elsewhere.some((room) => file.startsWith(`${room}/`)),
  );
  return files.flatMap((file) =>
    callsIn(ts.createSourceFile(file, readFileSync(join(src, file), 'utf8'), ts.ScriptTarget.Latest, true)),
  );
}

function callsIn(source: ts.SourceFile): readonly LogCall[] {
  return all(source, ts.isCallExpression).flatMap(({ expression, arguments: [fields, event] }) => {
    if (!ts.isPropertyAccessExpression(expression) || !LEVELS.includes(expression.name.text)) return [];
    if (!/\blog$/.test(expression.expression.getText()) || fields === undefined) return [];
    if (event === undefined || !ts.isStringLiteral(event)) throw new Error(`${source.fileName}: an event is a text`);
    const names = new Set<string>();
    const isOpen = gather(ts.isIdentifier(fields) ? declared(source, fields.text) : fields, names);
    return [{ level: expression.name.text, event: event.text, fields: names, isOpen }];
  });
}

/** Adds the names; true when there are others. */
function gather(node: ts.Node, names: Set<string>): boolean {
  if (!ts.isObjectLiteralExpression(node)) {
    const inner = all(node, ts.isObjectLiteralExpression);
    return inner.length === 0 || inner.map((each) => gather(each, names)).includes(true);
  }
  return node.properties
    .map((property) => {
      if (ts.isSpreadAssignment(property)) return gather(property.expression, names);
      names.add(property.name.getText());
      return false;
    })
    .includes(true);
}

function declared(source: ts.SourceFile, name: string): ts.Node {
  const found = all(source, ts.isVariableDeclaration).find((each) => each.name.getText() === name);
  if (found?.initializer === undefined) throw new Error(`${source.fileName}: ${name} isn't made there`);
  return found.initializer;
}

function all<T extends ts.Node>(node: ts.Node, is: (each: ts.Node) => each is T): readonly T[] {
  const found: T[] = [];
  const visit = (each: ts.Node): void => {
    if (is(each)) found.push(each);
    ts.forEachChild(each, visit);
  };
  visit(node);
  return found;
}
