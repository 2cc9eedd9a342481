import { Uploader } from 'longshore/client';

/** One for the whole page: its uploads share connections and take turns. */
export const uploader = new Uploader({
  endpoint: new URL('/graphql', location.href).href,
  token: ({ refused }) => (refused === undefined ? sessionToken() : renewedToken()),
});

/** Undefined where nobody has to prove who he is. */
function sessionToken(): string | undefined {
  return sessionStorage.getItem('token') ?? undefined;
}

/** Another one than was refused, from wherever your page has them. The same again ends the upload with `UNAUTHENTICATED`. */
function renewedToken(): string | undefined {
  return sessionToken();
}
