import { describeFrontEnd } from './front-end.js';

describeFrontEnd('urql', 'listed-origin');
