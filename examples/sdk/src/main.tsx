import { createRoot } from 'react-dom/client';
import { UploadPage } from './upload-page';

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no #root');
createRoot(root).render(<UploadPage />);
