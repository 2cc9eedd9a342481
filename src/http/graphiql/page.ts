// What the GraphiQL page does on top of GraphiQL: the examples in tabs, and who asks, the same over HTTP and WebSocket. It runs in the
// browser as a plain script; `scripts/graphiql.mjs` puts `CONTENT` before it.

interface Tab {
  readonly query: string;
  readonly variables: string | null;
  readonly headers: string | null;
}

/** What the build knows. */
declare const CONTENT: {
  /** The answer to an introspection query: documentation and completion need no request, and no token. */
  readonly schema: unknown;
  readonly tabs: readonly Tab[];
  /** Addresses of the editor's workers, by the label that it asks for. */
  readonly workers: Readonly<Record<string, string>>;
};

declare const YogaGraphiQL: { renderYogaGraphiQL(root: Element, options: object): void };

(() => {
  /** The gateway in the examples' shell lines. */
  const DEFAULT_ORIGIN = 'http://127.0.0.1:4000';
  const STORED_TABS = 'graphiql:tabState';
  const EXAMPLES_WANTED = 'longshore:examples';
  const KEPT = ['token', 'person'] as const;

  const token = input('token');
  const person = input('person');
  const keep = input('keep');
  let headersOfTab: Readonly<Record<string, string>> = {};

  bringBack();
  for (const element of [token, person, keep]) element.addEventListener('input', keepOrForget);
  find('examples').addEventListener('click', () => {
    if (!confirm('Put the examples in place of the tabs that are open?')) return;
    sessionStorage.setItem(EXAMPLES_WANTED, '');
    location.reload();
  });
  // Not before the reload: what GraphiQL stores, it stores half a second late.
  if (sessionStorage.getItem(EXAMPLES_WANTED) !== null) localStorage.removeItem(STORED_TABS);
  sessionStorage.removeItem(EXAMPLES_WANTED);

  Object.assign(globalThis, {
    MonacoEnvironment: { globalAPI: false, getWorkerUrl: (_module: string, label: string) => CONTENT.workers[label] },
  });
  YogaGraphiQL.renderYogaGraphiQL(find('root'), {
    title: 'Longshore',
    logo: '<span></span>',
    schema: CONTENT.schema,
    defaultTabs: CONTENT.tabs.map(({ query, ...rest }) => ({
      ...rest,
      query: query.replaceAll(DEFAULT_ORIGIN, location.origin),
    })),
    subscriptionsProtocol: 'WS',
    shouldPersistHeaders: false,
    // Asked before each request and each connection; a tab's own headers go before these by themselves, but over HTTP only.
    additionalHeaders: whoAsks,
    connectionParams: () => {
      const { authorization, 'x-person-id': personId } = { ...whoAsks(), ...headersOfTab };
      return { ...(authorization && { authorization }), ...(personId && { personId }) };
    },
    onTabChange: ({ tabs, activeTabIndex }: { tabs: readonly Tab[]; activeTabIndex: number }) => {
      headersOfTab = parseHeaders(tabs[activeTabIndex]?.headers);
    },
    // Without this the page's address would follow what is typed.
    onEditQuery: () => undefined,
  });

  function whoAsks(): Record<string, string> {
    const [credentials, id] = [token.value.trim(), person.value.trim()];
    return {
      ...(credentials && { authorization: /^\S+ /.test(credentials) ? credentials : `Bearer ${credentials}` }),
      ...(id && { 'x-person-id': id }),
    };
  }

  /** Of the headers editor's text, by lower-case name; nothing while it is being written. */
  function parseHeaders(text: string | null | undefined): Record<string, string> {
    try {
      const parsed: unknown = JSON.parse(text ?? '{}');
      if (typeof parsed !== 'object' || parsed === null) return {};
      return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name.toLowerCase(), String(value)]));
    } catch {
      return {}; // Half-written JSON.
    }
  }

  /** Only where the person wants it, and no longer than the browser's tab lives. */
  function keepOrForget(): void {
    for (const name of KEPT) {
      if (keep.checked) sessionStorage.setItem(`longshore:${name}`, input(name).value);
      else sessionStorage.removeItem(`longshore:${name}`);
    }
  }

  function bringBack(): void {
    for (const name of KEPT) {
      const kept = sessionStorage.getItem(`longshore:${name}`);
      if (kept === null) continue;
      input(name).value = kept;
      keep.checked = true;
    }
  }

  function find(id: string): HTMLElement {
    const element = document.getElementById(id);
    if (element === null) throw new Error(`the page has no element ${id}`);
    return element;
  }

  function input(id: string): HTMLInputElement {
    return find(id) as HTMLInputElement;
  }
})();
