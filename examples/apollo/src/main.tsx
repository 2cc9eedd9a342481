import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApolloProvider, useApolloClient, useQuery } from '@apollo/client/react';
import { UploadPage } from '../../front-end/upload-page';
import { useUpload } from '../../front-end/use-upload';
import { createApolloClient } from './client';
import { HOSTS } from '../../front-end/operations';
import { upload } from './upload';

/** Where the gateway is. Vite's server passes `/graphql` on, so in development it is where the page is. */
const GATEWAY_URL = import.meta.env.VITE_GATEWAY_URL ?? location.origin;

function App() {
  const client = useApolloClient();
  const { data, error } = useQuery(HOSTS);
  const state = useUpload((job, options) => upload(client, job, options));
  return <UploadPage client="Apollo Client" hosts={data?.hosts} error={error} upload={state} />;
}

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no #root');
createRoot(root).render(
  <StrictMode>
    <ApolloProvider client={createApolloClient(GATEWAY_URL)}>
      <App />
    </ApolloProvider>
  </StrictMode>,
);
