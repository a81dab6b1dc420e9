import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

export interface Shortcut {
  /** As in `KeyboardEvent.key`. */
  key: string;
  does: string;
  run: () => void;
}

const known = signal<Shortcut[][]>([]);
const OFF = 'shortcuts-off';

/** Whether keys without Ctrl or Alt do something: whoever talks to the computer may want that off (WCAG 2.1.4). */
export const areShortcutsOn = signal(localStorage.getItem(OFF) === null);

export function switchShortcuts(on: boolean): void {
  areShortcutsOn.value = on;
  if (on) localStorage.removeItem(OFF);
  else localStorage.setItem(OFF, 'yes');
}

/** All that do something now, those of the whole page first. */
export const shortcutsNow = () => known.value.flat();

/** Shortcuts for as long as a component is shown; `shortcuts` must be the same array as long as they do the same. */
export function useShortcuts(shortcuts: Shortcut[]): void {
  useEffect(() => {
    known.value = [...known.peek(), shortcuts];
    return () => {
      known.value = known.peek().filter((each) => each !== shortcuts);
    };
  }, [shortcuts]);
}

const isForText = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(?:input|textarea|select)$/i.test(target.tagName));

export function pressKey(event: KeyboardEvent): void {
  if (!areShortcutsOn.value || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (isForText(event.target) || document.querySelector('dialog[open]') !== null) return;
  const found = known.value.flat().findLast(({ key }) => key === event.key);
  if (!found) return;
  event.preventDefault();
  found.run();
}
