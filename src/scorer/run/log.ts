/** The scorer's own account of a run: printed line by line and kept for the log blob. Never told a URL or a secret. */
export class Log {
  readonly #lines: string[] = [];

  constructor(private readonly print: (line: string) => void) {}

  add(sentence: string): void {
    const line = `${new Date().toISOString().slice(11, 23)} ${sentence}`;
    this.#lines.push(line);
    this.print(line);
  }

  get text(): string {
    return this.#lines.map((line) => `${line}\n`).join('');
  }
}
