import { Socket } from 'node:net';

/**
 * A thread of the worker process that holds one end of a pipe, its file descriptor 3. When the host, at the other end, is gone, however it
 * ended, the process and the children in its group are killed at once. The main thread could not see to it while a function computes.
 */
new Socket({ fd: 3, readable: true, writable: false })
  .on('error', () => undefined)
  .on('close', () => process.kill(-process.pid, 'SIGKILL'))
  .resume();
