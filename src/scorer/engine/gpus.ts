import { readdirSync } from 'node:fs';

/**
 * How many GPUs CUDA can use here and numbers from 0; 0 where none shows.
 * @param visible the value of CUDA_VISIBLE_DEVICES: indices or ids, of which CUDA ignores the first wrong one and what follows.
 * @param devices file names in `/dev` (Linux); a container has those of its own GPUs only.
 */
export function countGpus(visible: string | undefined, devices: string[] = deviceFiles()): number {
  const present = devices.filter((name) => /^nvidia\d+$/.test(name)).length;
  if (visible === undefined) return present;
  const listed = visible.split(',').map((id) => id.trim());
  const wrong = listed.findIndex((id) => !isDevice(id, present));
  return wrong === -1 ? listed.length : wrong;
}

function isDevice(id: string, present: number): boolean {
  return /^\d+$/.test(id) ? Number(id) < present : /^(GPU|MIG)-/.test(id);
}

function deviceFiles(): string[] {
  try {
    return readdirSync('/dev');
  } catch {
    return [];
  }
}
