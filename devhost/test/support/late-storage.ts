import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { onTestFinished } from 'vitest';

export interface LateStorage {
  connectionString: string;
  /** From now on it answers. */
  listen: () => Promise<void>;
}

/** The storage behind `connectionString` at ports of its own, where nothing listens yet. */
export async function lateStorage(connectionString: string): Promise<LateStorage> {
  const doors: { server: Server; port: number }[] = [];
  let late = connectionString;
  for (const [, behind] of connectionString.matchAll(/:(\d+)\//g)) {
    const server = createServer((client) => {
      const storage = connect(Number(behind), '127.0.0.1');
      client.pipe(storage).pipe(client);
      for (const socket of [client, storage]) socket.on('error', () => [client, storage].map((each) => each.destroy()));
    });
    const port = await freePort();
    doors.push({ server, port });
    late = late.replace(`:${behind}/`, `:${port}/`);
  }
  return {
    connectionString: late,
    listen: async () => {
      for (const { server, port } of doors) {
        server.listen(port, '127.0.0.1');
        await once(server, 'listening');
        onTestFinished(() => void server.close());
      }
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
