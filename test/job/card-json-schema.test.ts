import { expect, it } from 'vitest';
import * as z from 'zod';
import { partialCardSchema } from '../../src/job/model-card.js';

it('docs/model-card.schema.json is what the cards are validated by (vitest -u brings it up to date)', async () => {
  const schema = { ...z.toJSONSchema(partialCardSchema), title: 'Model card of durable-batch-scoring' };
  await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot('../../docs/model-card.schema.json');
});
