import { h, render } from 'preact';
import { createApp } from './app.js';
import { createConnection } from './connection.js';
import { browserClock } from './polling.js';
import { Shell } from './shell.js';

/** The page: what it asks the app, and what it shows of the answers. */
const place = document.querySelector('#page');
const connection = createConnection({ ask: (...asked) => fetch(...asked), kept: sessionStorage });
if (place) render(h(Shell, { app: createApp(connection, browserClock) }), place);
