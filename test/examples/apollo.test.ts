import { describeFrontEnd } from './front-end.js';

describeFrontEnd('apollo', 'same-origin');
