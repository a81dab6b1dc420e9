import { html as bound } from 'htm/preact';
import type { ComponentChild } from 'preact';

/** What a component gives: everything in it is text, unless it is an element of this page's own. */
export type Markup = ComponentChild;

/** Markup without a compiler: values in it are escaped by Preact. */
export const html: (strings: TemplateStringsArray, ...values: unknown[]) => Markup = bound;
