import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Provider, useClient, useQuery } from 'urql';
import { UploadPage } from '../../front-end/upload-page';
import { useUpload } from '../../front-end/use-upload';
import { createUrqlClient } from './client';
import { HOSTS } from '../../front-end/operations';
import { upload } from './upload';

/** Where the gateway is. Vite's server passes `/graphql` on, so in development it is where the page is. */
const GATEWAY_URL = import.meta.env.VITE_GATEWAY_URL ?? location.origin;

function App() {
  const client = useClient();
  const [{ data, error }] = useQuery({ query: HOSTS });
  const state = useUpload((job, options) => upload(client, job, options));
  return <UploadPage client="urql" hosts={data?.hosts} error={error} upload={state} />;
}

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no #root');
createRoot(root).render(
  <StrictMode>
    <Provider value={createUrqlClient(GATEWAY_URL)}>
      <App />
    </Provider>
  </StrictMode>,
);
