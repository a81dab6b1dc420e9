/** A field of a protobuf message: `payload` is as it lies in the file, without the length that stands before wire type 2. */
export interface Field {
  number: number;
  /** 0: varint, 1: 8 bytes, 2: length-delimited, 5: 4 bytes. */
  wire: number;
  payload: Buffer;
}

/**
 * The fields of a message in their order; nothing is copied.
 * @throws RangeError when the bytes are no message.
 */
export function readFields(message: Buffer): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < message.length;) {
    const tag = readVarint(message, at);
    const [number, wire] = [Math.floor(tag.value / 8), tag.value % 8];
    const first = wire === 2 ? readVarint(message, tag.end) : { value: wire === 1 ? 8 : 4, end: tag.end };
    const end = wire === 0 ? readVarint(message, tag.end).end : first.end + first.value;
    if (end > message.length || wire > 5 || wire === 3 || wire === 4) throw new RangeError('no protobuf message');
    fields.push({ number, wire, payload: message.subarray(wire === 0 ? tag.end : first.end, end) });
    at = end;
  }
  return fields;
}

export function writeFields(fields: Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap(({ number, wire, payload }) => [
      varint(number * 8 + wire),
      ...(wire === 2 ? [varint(payload.length)] : []),
      payload,
    ]),
  );
}

/** The length-delimited fields with this number. */
export function partsOf(fields: Field[], number: number): Buffer[] {
  return fields.filter((field) => field.number === number && field.wire === 2).map(({ payload }) => payload);
}

/** The same, each of them a message itself. */
export function messagesOf(fields: Field[], number: number): Field[][] {
  return partsOf(fields, number).map(readFields);
}

export function textOf(fields: Field[], number: number): string {
  return partsOf(fields, number)[0]?.toString('utf8') ?? '';
}

/** Whole numbers of 0 and above, packed or one by one. */
export function numbersOf(fields: Field[], number: number): number[] {
  return fields
    .filter((field) => field.number === number)
    .flatMap(({ payload }) => {
      const values: number[] = [];
      for (let at = 0; at < payload.length;) {
        const { value, end } = readVarint(payload, at);
        values.push(value);
        at = end;
      }
      return values;
    });
}

export function bytesField(number: number, payload: Buffer | string): Field {
  return { number, wire: 2, payload: Buffer.from(payload) };
}

/** @param value a whole number of 0 and above. */
export function numberField(number: number, value: number): Field {
  return { number, wire: 0, payload: varint(value) };
}

function readVarint(bytes: Buffer, start: number): { value: number; end: number } {
  let value = 0;
  let at = start;
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes.readUInt8(at);
    at += 1;
    value += (byte & 127) * factor;
    if (byte < 128) return { value, end: at };
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}
