// urql for Longshore: JSON over HTTP, subscriptions over a WebSocket. Its fetchExchange makes a multipart request of a file by itself.
import { createClient as createWebSocketClient } from 'graphql-ws';
import { Client, fetchExchange, subscriptionExchange } from 'urql';

/** `url`: of the gateway, such as `http://127.0.0.1:4000`. */
export function createUrqlClient(url: string): Client {
  const webSocket = createWebSocketClient({ url: `${url.replace(/^http/, 'ws')}/graphql` });
  return new Client({
    url: `${url}/graphql`,
    // Multipart requests need a header that other sites' forms can't send.
    fetchOptions: { headers: { 'x-graphql-yoga-csrf': 'true' } },
    // Queries claim and open on the gateway: always asked anew, and by POST.
    requestPolicy: 'network-only',
    preferGetMethod: false,
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({ unsubscribe: webSocket.subscribe({ query, variables }, sink) }),
        }),
      }),
    ],
  });
}
