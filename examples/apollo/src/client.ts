// Apollo Client for Longshore: JSON over HTTP, chunks as multipart requests, subscriptions over a WebSocket.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { isSubscriptionOperation } from '@apollo/client/utilities';
import { createClient } from 'graphql-ws';
import { possibleTypes } from './generated/possible-types';
import { UploadLink, hasFile } from './upload-link';

/** `url`: of the gateway, such as `http://127.0.0.1:4000`. */
export function createApolloClient(url: string): ApolloClient {
  const uri = `${url}/graphql`;
  const webSocket = new GraphQLWsLink(createClient({ url: uri.replace(/^http/, 'ws') }));
  const http = ApolloLink.split(hasFile, new UploadLink(uri), new HttpLink({ uri }));
  return new ApolloClient({
    link: ApolloLink.split(({ query }) => isSubscriptionOperation(query), webSocket, http),
    // Tells which types `... on Problem` matches.
    cache: new InMemoryCache({ possibleTypes }),
  });
}
