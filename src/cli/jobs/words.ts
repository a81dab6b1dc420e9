import type { ListedJob } from '../../api/jobs.js';

const UNITS = [
  { name: 'd', seconds: 86_400 },
  { name: 'h', seconds: 3600 },
  { name: 'min', seconds: 60 },
] as const;

/** As `3 min`: what a person keeps of a time span. @param now milliseconds since the epoch. */
export function ageInWords(since: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(since)) / 1000);
  const { name, seconds: unit } = UNITS.find((each) => seconds >= each.seconds) ?? { name: 's', seconds: 1 };
  return `${Math.floor(seconds / unit)} ${name}`;
}

/** As `$1.20`, or `$0.0042` for what is less than a cent; '' where nobody knows. */
export function costInWords(cost: ListedJob['cost']): string {
  if (cost === null) return '';
  const { soFar } = cost;
  return `$${soFar === 0 || soFar >= 0.01 ? soFar.toFixed(2) : soFar.toPrecision(2)}`;
}

export const isOver = ({ state }: Pick<ListedJob, 'state'>) => state !== 'queued' && state !== 'running';
