// How much a document may ask for. It is measured before it is validated, since some of validation's rules take the square of what they
// are given, in two passes that take no more than its length: one over the tokens before it is parsed, one over the tree.
import { getOperationAST, Kind, Lexer, NoSchemaIntrospectionCustomRule, Source, TokenKind, validate } from 'graphql';
import type { DocumentNode, FieldNode, FragmentDefinitionNode, OperationDefinitionNode, SelectionSetNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { GraphQLContext } from './context.js';
import { graphqlError } from './errors.js';

/**
 * Each at least three times what our clients, GraphiQL's introspection and the audits of GraphQL over HTTP use, and low enough that the
 * worst document within them is validated within 20 ms.
 */
export const DOCUMENT_LIMITS = {
  letters: 32_768,
  tokens: 2_000,
  /** Brackets of any kind inside one another: parser and visitors go as deep. */
  nesting: 60,
  operations: 20,
  fragments: 40,
  /** Places where fragments are used. */
  spreads: 60,
  directives: 40,
  aliases: 60,
  /** Fields inside one another, with fragments in place; so are the following. */
  depth: 45,
  fields: 1_000,
  /** Each is a call of its own. */
  rootFields: 20,
  /** How often a name may be selected in one place. */
  sameName: 30,
  /** Fields with a selection of their own that repeat the name of one beside them: each pair is compared. */
  repeatedSelections: 20,
  /** Values of all variables, lists and objects included: what doesn't fit is told one by one, each time with all around it. */
  values: 500,
  /** Of all texts and names in the variables: fourteen times the longest path, since each alias may repeat it. */
  variableLetters: 65_536,
} as const;

type Limit = keyof typeof DOCUMENT_LIMITS;

const WORDS: Readonly<Record<Limit, string>> = {
  letters: 'letters',
  tokens: 'tokens',
  nesting: 'brackets inside one another',
  operations: 'operations',
  fragments: 'fragments',
  spreads: 'uses of fragments',
  directives: 'directives',
  aliases: 'aliases',
  depth: 'fields inside one another',
  fields: 'fields',
  rootFields: 'fields at the top',
  sameName: 'selections of the same name',
  repeatedSelections: 'repeated fields with selections',
  values: 'values in its variables',
  variableLetters: 'letters in its variables',
};

/** Of the parsed documents that are kept, all together; half a kilobyte each. Our clients' have three thousand. */
const KEPT_TOKENS = 20_000;

/** What Yoga keeps of the documents it has seen: those that parsed, the last ones, and no errors, which would be the attacker's choice. */
export function documentCaches() {
  const kept = new Map<string, { readonly document: DocumentNode; readonly tokens: number }>();
  let sum = 0;
  const forget = (text: string) => {
    sum -= kept.get(text)?.tokens ?? 0;
    kept.delete(text);
  };
  const documentCache = {
    get: (text: string) => kept.get(text)?.document,
    set(text: string, document: DocumentNode) {
      forget(text);
      const tokens = tokensOf(document);
      kept.set(text, { document, tokens });
      sum += tokens;
      for (const oldest of kept.keys()) {
        if (sum <= KEPT_TOKENS) return;
        forget(oldest);
      }
    },
  };
  return { documentCache, errorCache: { get: () => undefined, set: () => undefined } };
}

function tokensOf({ loc }: DocumentNode): number {
  let count = 0;
  for (let token = loc?.startToken; token; token = token.next ?? undefined) count += 1;
  return count;
}

/**
 * Refuses what is beyond `DOCUMENT_LIMITS` with `QUERY_TOO_COMPLEX`, HTTP 400, before it is parsed, validated or kept. Each field at the
 * top counts as a call of its caller; the first one was counted with the request.
 */
export function useDocumentLimits(): Plugin<GraphQLContext> {
  const measured = new WeakMap<DocumentNode, RootFields>();
  return {
    onParse({ params, context }) {
      checkVariables(context.params.variables);
      checkText(params.source instanceof Source ? params.source.body : String(params.source));
      return ({ result }) => {
        if (!isDocument(result)) return;
        const rootFields = measured.get(result) ?? checkDocument(result);
        measured.set(result, rootFields);
        const operation = getOperationAST(result, context.params.operationName);
        if (operation) context.allowance?.charge((rootFields.get(operation) ?? 1) - 1);
      };
    },
  };
}

/** Errors that are told. Each may take a comparison with all names of the schema. */
const MAX_ERRORS = 20;

/** Validation that ends early and, for those who may not ask for the schema, neither answers introspection nor hints at names in it. */
export function useBoundedValidation({ introspection }: { readonly introspection: boolean }): Plugin {
  const bounds = { maxErrors: MAX_ERRORS, hideSuggestions: !introspection };
  return {
    onValidate({ addValidationRule, setValidationFn }) {
      if (!introspection) addValidationRule(NoSchemaIntrospectionCustomRule);
      setValidationFn((...[schema, document, rules, options, typeInfo]: Parameters<typeof validate>) =>
        validate(schema, document, rules, { ...options, ...bounds }, typeInfo),
      );
    },
  };
}

/** Counts tokens and brackets. Text that isn't GraphQL passes: the parser comes no further than this, and says what is wrong. */
export function checkText(text: string): void {
  bound('letters', text.length);
  const lexer = new Lexer(new Source(text));
  let tokens = 0;
  let nesting = 0;
  try {
    for (let { kind } = lexer.advance(); kind !== TokenKind.EOF; { kind } = lexer.advance()) {
      tokens += 1;
      nesting += nestingOf(kind);
      if (tokens > DOCUMENT_LIMITS.tokens || nesting > DOCUMENT_LIMITS.nesting) break;
    }
  } catch {
    // The lexer's only error is about syntax, which the parser reports better.
  }
  bound('tokens', tokens);
  bound('nesting', nesting);
}

/** `QUERY_TOO_COMPLEX` when there are too many values, however deep, or too long ones. */
export function checkVariables(variables: unknown): void {
  const left = [variables];
  let letters = 0;
  for (let count = 0; left.length > 0; count += 1) {
    const value = left.pop();
    if (typeof value === 'string') letters += value.length;
    if (typeof value === 'object' && value !== null) {
      // Names first: to list the values of twenty thousand takes several times as long.
      const names = Object.keys(value);
      bound('values', count + left.length + names.length);
      for (const name of names) {
        letters += name.length;
        left.push((value as Record<string, unknown>)[name]);
      }
    }
    bound('variableLetters', letters);
  }
}

function nestingOf(kind: TokenKind): number {
  if (kind === TokenKind.BRACE_L || kind === TokenKind.BRACKET_L || kind === TokenKind.PAREN_L) return 1;
  return kind === TokenKind.BRACE_R || kind === TokenKind.BRACKET_R || kind === TokenKind.PAREN_R ? -1 : 0;
}

/** How many each operation has. */
type RootFields = ReadonlyMap<OperationDefinitionNode, number>;

/** `QUERY_TOO_COMPLEX` when the document asks for more than it may. */
export function checkDocument(document: DocumentNode): RootFields {
  const rootFields = new Map<OperationDefinitionNode, number>();
  const measure = new Measure(document);
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) measure.fragment(definition);
    if (definition.kind === Kind.OPERATION_DEFINITION) rootFields.set(definition, measure.operation(definition.selectionSet));
    measure.count('directives', definition.directives?.length ?? 0);
  }
  return rootFields;
}

function bound(limit: Limit, count: number): void {
  const most = DOCUMENT_LIMITS[limit];
  if (count > most)
    throw graphqlError('QUERY_TOO_COMPLEX', `A document may have at most ${most} ${WORDS[limit]}.`, { status: 400 });
}

function isDocument(result: unknown): result is DocumentNode {
  return typeof result === 'object' && result !== null && 'kind' in result && result.kind === Kind.DOCUMENT;
}

/** Limits on a document as a whole. */
type Counted = 'operations' | 'fragments' | 'spreads' | 'directives' | 'aliases' | 'repeatedSelections';

/** What is selected in one place, with fragments in place. */
interface Extent {
  fields: number;
  depth: number;
  /** How often each name is selected here, and how many of those have selections. */
  readonly names: Map<string, { all: number; selections: number }>;
}

interface Place {
  readonly extent: Extent;
  /** Inside the schema's description of itself. */
  readonly isIntrospection: boolean;
}

const NOTHING: Extent = { fields: 0, depth: 0, names: new Map() };

class Measure {
  readonly #fragments = new Map<string, FragmentDefinitionNode>();
  /** Each fragment is measured once, wherever it is used; one that uses itself, which validation refuses, counts as nothing there. */
  readonly #extents = new Map<FragmentDefinitionNode, Extent>();
  readonly #counts: Record<Counted, number> = {
    operations: 0,
    fragments: 0,
    spreads: 0,
    directives: 0,
    aliases: 0,
    repeatedSelections: 0,
  };

  constructor(document: DocumentNode) {
    for (const definition of document.definitions) {
      if (definition.kind === Kind.FRAGMENT_DEFINITION) this.#fragments.set(definition.name.value, definition);
      this.count(definition.kind === Kind.FRAGMENT_DEFINITION ? 'fragments' : 'operations');
    }
  }

  count(limit: Counted, more = 1): void {
    this.#counts[limit] += more;
    bound(limit, this.#counts[limit]);
  }

  /** How many fields it has at the top. */
  operation(selectionSet: SelectionSetNode): number {
    const { names } = this.#select(selectionSet, { isIntrospection: false });
    const rootFields = [...names.values()].reduce((sum, { all }) => sum + all, 0);
    bound('rootFields', rootFields);
    return rootFields;
  }

  fragment(fragment: FragmentDefinitionNode): Extent {
    const known = this.#extents.get(fragment);
    if (known !== undefined) return known;
    this.#extents.set(fragment, NOTHING);
    const isIntrospection = fragment.typeCondition.name.value.startsWith('__');
    const extent = this.#select(fragment.selectionSet, { isIntrospection });
    this.#extents.set(fragment, extent);
    return extent;
  }

  #select(selectionSet: SelectionSetNode, { isIntrospection }: Pick<Place, 'isIntrospection'>): Extent {
    const extent: Extent = { fields: 0, depth: 0, names: new Map() };
    this.#walk(selectionSet, { extent, isIntrospection });
    bound('fields', extent.fields);
    bound('depth', extent.depth);
    for (const { all, selections } of extent.names.values()) {
      bound('sameName', all);
      if (selections > 1) this.count('repeatedSelections', selections - 1);
    }
    return extent;
  }

  #walk({ selections }: SelectionSetNode, place: Place): void {
    for (const selection of selections) {
      this.count('directives', selection.directives?.length ?? 0);
      if (selection.kind === Kind.FIELD) this.#addField(selection, place);
      else if (selection.kind === Kind.INLINE_FRAGMENT) this.#walk(selection.selectionSet, place);
      else {
        this.count('spreads');
        const fragment = this.#fragments.get(selection.name.value);
        if (fragment !== undefined) add(place.extent, this.fragment(fragment));
      }
    }
  }

  #addField({ name, alias, selectionSet }: FieldNode, { extent, isIntrospection }: Place): void {
    // Every alias would multiply an answer that is as large as the schema; no client of ours has one there.
    if (alias !== undefined) this.count('aliases', isIntrospection ? DOCUMENT_LIMITS.aliases + 1 : 1);
    const isInside = isIntrospection || name.value === '__schema' || name.value === '__type';
    const inner = selectionSet === undefined ? NOTHING : this.#select(selectionSet, { isIntrospection: isInside });
    extent.fields += 1 + inner.fields;
    extent.depth = Math.max(extent.depth, 1 + inner.depth);
    addName(extent, (alias ?? name).value, { all: 1, selections: selectionSet === undefined ? 0 : 1 });
  }
}

function add(extent: Extent, more: Extent): void {
  extent.fields += more.fields;
  extent.depth = Math.max(extent.depth, more.depth);
  for (const [name, times] of more.names) addName(extent, name, times);
}

function addName({ names }: Extent, name: string, { all, selections }: { all: number; selections: number }): void {
  const known = names.get(name);
  if (known === undefined) return void names.set(name, { all, selections });
  known.all += all;
  known.selections += selections;
}
