/** Which blobs a function wants. */
export interface BlobPattern {
  container: string;
  /** How the names of all wanted blobs begin. */
  prefix: string;
  /** The values of the pattern's parameters for a blob of the container; undefined when it is not wanted. */
  match(blobName: string): Record<string, string> | undefined;
}

/**
 * Reads a `path` such as `inbox/{folder}/{name}.mp4` as the Functions host does: a parameter takes as much as it can, slashes included;
 * `{{` and `}}` are braces; without a name of a blob every blob of the container is wanted (BindingTemplateSource.cs).
 * @throws Error whose message says what is wrong.
 */
export function parseBlobPath(path: string): BlobPattern {
  const [, container = '', blobPattern = ''] = /^\/?([^/]*)(?:\/(.*))?$/s.exec(path) ?? [];
  if (!/^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$|^\$(root|web|logs)$/i.test(container))
    throw new Error(`"${container}" is no name of a container: it has 3 to 63 letters, digits and single hyphens.`);
  const names: string[] = [];
  let prefix = '';
  const expression = blobPattern.replaceAll(
    /\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+/g,
    (token, parameter: string | undefined) => {
      if (token === '{' || token === '}')
        throw new Error(`a brace has no partner; "{{" and "}}" are braces in a name.`);
      if (parameter === undefined) {
        const text = token === '{{' ? '{' : token === '}}' ? '}' : token;
        if (names.length === 0) prefix += text;
        return literally(text);
      }
      if (!/^[A-Za-z_]\w*$/.test(parameter))
        throw new Error(`"{${parameter}}" is no parameter: its name is made of letters and digits.`);
      names.push(parameter);
      return '(.*)';
    },
  );
  const wanted = new RegExp(blobPattern === '' ? '' : `^${expression}$`);
  return {
    container: container.toLowerCase(),
    prefix,
    match: (blobName) => {
      const found = wanted.exec(blobName);
      return found ? Object.fromEntries(names.map((name, index) => [name, found[index + 1] ?? ''])) : undefined;
    },
  };
}

function literally(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
}
