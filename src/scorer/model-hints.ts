import type { ModelHints } from '../job/draft-card.js';

/**
 * What a model file tells beside its signature: the image metadata that Windows ML defined, the texts that describe its
 * tensors, and the operators it is made of. Reads the fields it needs of `ModelProto` (onnx.proto3) and skips the rest.
 * @param bytes of a model that ONNX Runtime has loaded.
 */
export function readHints(bytes: Uint8Array): ModelHints {
  const metadata: Record<string, string> = {};
  const texts: string[] = [];
  const makers: Record<string, string> = {};
  const operators = new Set<string>();
  const note = (entry: Buffer) => {
    metadata[text(entry, 1)] = text(entry, 2);
  };
  const describe = (value: Buffer) => {
    texts.push(text(value, 3));
    parts(value, 4).forEach(note);
  };
  const model = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  parts(model, 14).forEach(note);
  for (const graph of parts(model, 7)) {
    for (const node of parts(graph, 1)) {
      const operator = text(node, 4);
      operators.add(operator);
      for (const output of parts(node, 2)) makers[output.toString('utf8')] = operator;
    }
    for (const value of [...parts(graph, 11), ...parts(graph, 12)]) describe(value);
  }
  return { metadata, texts: texts.filter((line) => line !== ''), makers, operators: [...operators] };
}

function text(message: Buffer, wanted: number): string {
  return parts(message, wanted)[0]?.toString('utf8') ?? '';
}

/** The length-delimited fields with this number. */
function parts(message: Buffer, wanted: number): Buffer[] {
  const found: Buffer[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message.readUInt8(at);
      at += 1;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === 2) {
      const length = varint();
      if (field === wanted) found.push(message.subarray(at, at + length));
      at += length;
    } else if (wire === 0) varint();
    else at += wire === 1 ? 8 : 4;
  }
  return found;
}
