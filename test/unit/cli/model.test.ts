import { expect, test } from 'vitest';
import { describeQuestions } from '../../../src/cli/commands/model.js';

test('what a model does not say is asked without anything in its names that steers the terminal', () => {
  const [, asked] = describeQuestions({ card: {}, questions: ['What is "y\u001b]0;title\u0007\u202e"?'] });
  expect(asked).toBe('- What is "y\ufffd]0;title\ufffd\ufffd"?');
});
