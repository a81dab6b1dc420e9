/** The model card: what a person writes, what a task carries, and how the one becomes the other. */
export type * from './card-outputs.js';
export * from './card-schema.js';
export { completeCard } from './complete-card.js';
export { parseLabels } from './labels.js';
export type { Layout, ModelSignature, TensorSignature } from './model-signature.js';
