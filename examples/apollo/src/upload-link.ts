import { ApolloLink } from '@apollo/client';
import { parseAndCheckHttpResponse } from '@apollo/client/link/http';
import { print } from 'graphql';
import { fromFetch } from 'rxjs/fetch';

export function hasFile({ variables }: ApolloLink.Operation): boolean {
  return Object.values(variables).some((value) => value instanceof Blob);
}

/**
 * Sends an operation with one file among its variables as a GraphQL multipart request: `operations`, `map` and the file, in this order.
 * https://github.com/jaydenseric/graphql-multipart-request-spec
 */
export class UploadLink extends ApolloLink {
  constructor(uri: string) {
    super((operation) => {
      const { fetchOptions } = operation.getContext() as { fetchOptions?: RequestInit };
      return fromFetch(uri, {
        ...fetchOptions,
        method: 'POST',
        // A header that other sites' forms can't send: the gateway asks for one.
        headers: { 'apollo-require-preflight': 'true' },
        body: formOf(operation),
        selector: parseAndCheckHttpResponse(operation) as (response: Response) => Promise<ApolloLink.Result>,
      });
    });
  }
}

function formOf({ operationName, query, variables }: ApolloLink.Operation): FormData {
  const [name, file] = Object.entries(variables).find((entry): entry is [string, Blob] => entry[1] instanceof Blob) ?? [];
  if (name === undefined || file === undefined) throw new TypeError('no variable is a file');
  const form = new FormData();
  form.append('operations', JSON.stringify({ operationName, query: print(query), variables: { ...variables, [name]: null } }));
  form.append('map', JSON.stringify({ 0: [`variables.${name}`] }));
  form.append('0', file);
  return form;
}
