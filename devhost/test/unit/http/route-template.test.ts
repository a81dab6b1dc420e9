import { describe, expect, it } from 'vitest';
import { translateRoute } from '../../../src/http/route-template.js';

const paths = (template: string) => translateRoute('f', 'api', template).paths;

describe('an ASP.NET route template', () => {
  it.each([
    ['jobs', ['/api/jobs']],
    ['jobs/{id}', ['/api/jobs/:id']],
    ['jobs/{id?}', ['/api/jobs', '/api/jobs/:id']],
    ['files/{*path}', ['/api/files', '/api/files/*']],
    ['{file}.{type}', ['/api/:file.:type']],
    ['{n:int}', ['/api/:n(^-?\\d+$)']],
    ['{n:int?}', ['/api', '/api/:n(^-?\\d+$)']],
  ])('%s becomes %j', (template, expected) => {
    expect(paths(template)).toEqual(expected);
  });

  it('with an unknown constraint is refused by name', () => {
    expect(() => paths('{n:range(1,2)}')).toThrow(/'f'.*'\{n:range\(1,2\)\}'/);
    expect(() => paths('{n:decimal}')).toThrow(/'f'.*'decimal'.*int, long, alpha, bool, guid/);
  });
});
