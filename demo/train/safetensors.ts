// The safetensors file format: eight bytes of header length (little-endian), a JSON header, the
// tensors one after another. https://huggingface.co/docs/safetensors

/** A float32 tensor. */
export type Tensor = { name: string; shape: number[]; value: Float32Array };

/** Writes float32 tensors in the given order; the same tensors always give the same bytes. */
export function formatSafetensors(tensors: readonly Tensor[], metadata: Record<string, string>): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const { name, shape, value } of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + value.byteLength] };
    offset += value.byteLength;
  }
  // The header is padded with spaces so that the data begin at a multiple of eight.
  const json = JSON.stringify(header);
  const text = json.padEnd(Math.ceil(json.length / 8) * 8, ' ');
  const bytes = new Uint8Array(8 + text.length + offset);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(text.length), true);
  bytes.set(new TextEncoder().encode(text), 8);
  let at = 8 + text.length;
  for (const { value } of tensors) {
    for (const number of value) {
      view.setFloat32(at, number, true);
      at += 4;
    }
  }
  return bytes;
}

/** Reads what formatSafetensors wrote. Throws RangeError or SyntaxError on anything else. */
export function parseSafetensors(bytes: Uint8Array): Tensor[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  const header = JSON.parse(
    new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + length)),
  ) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  return Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [begin, end],
        },
      ]) => {
        if (dtype !== 'F32') throw new RangeError(`${name}: expected dtype F32, found ${dtype}`);
        const value = new Float32Array((end - begin) / 4);
        for (let i = 0; i < value.length; i++) value[i] = view.getFloat32(8 + length + begin + 4 * i, true);
        return { name, shape, value };
      },
    );
}
