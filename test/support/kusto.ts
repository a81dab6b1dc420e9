import { createRequire } from 'node:module';
import type { Recorded, Table, Told } from './recorded-jobs.js';

/** A node of a parsed query. The language service is C# turned into JavaScript; these are the parts that are used here. */
interface Node {
  Kind: number;
  Parent?: Node;
  ReferencedSymbol?: { Name: string };
  /** Of a path or a pipe: what stands left of the dot or bar; of a comparison: its sides. */
  Expression?: Node;
  Selector?: Node;
  Left?: Node;
  Right?: Node;
  SimpleName?: string;
  LiteralValue?: unknown;
  toString(): string;
}

interface Column {
  Name: string;
  Type: { Name: string };
}

interface Code {
  Syntax: Node;
  ResultType?: { Columns?: unknown };
  GetDiagnostics(): unknown;
}

interface LanguageService {
  Bridge: { toArray<T>(list: unknown): T[] };
  System: { Enum: { getName(type: unknown, value: number): string } };
  Kusto: {
    Language: {
      KustoCode: { ParseAndAnalyze(text: string, globals: unknown): Code };
      GlobalState: { Default: { WithDatabase(database: unknown): unknown } };
      Symbols: {
        TableSymbol: { $ctor7: new (name: string, schema: string) => unknown };
        DatabaseSymbol: { ctor: new (name: string, tables: unknown[]) => unknown };
      };
      Syntax: {
        SyntaxKind: unknown;
        SyntaxElement: { WalkNodes(root: Node, visit: (node: Node) => void): void };
      };
    };
  };
}

function load(): LanguageService {
  const require = createRequire(import.meta.url);
  require('@kusto/language-service-next/bridge.min.js');
  require('@kusto/language-service-next/Kusto.Language.Bridge.min.js');
  return globalThis as unknown as LanguageService;
}
const { Bridge, System, Kusto } = load();
const { KustoCode, GlobalState, Symbols, Syntax } = Kusto.Language;

const EVERYWHERE = `timestamp: datetime, itemId: string, itemType: string, itemCount: int, customDimensions: dynamic,
  operation_Id: string, operation_Name: string, operation_ParentId: string, operation_SyntheticSource: string,
  cloud_RoleName: string, cloud_RoleInstance: string, application_Version: string, session_Id: string, user_Id: string,
  appId: string, appName: string, iKey: string, sdkVersion: string`;
const SPAN = `id: string, name: string, success: string, resultCode: string, duration: real, performanceBucket: string,
  customMeasurements: dynamic`;

/** Columns of an Application Insights component, as https://learn.microsoft.com/azure/azure-monitor/app/apm-tables lists them. */
const TABLES: Record<Table, string> = {
  customEvents: `${EVERYWHERE}, name: string, customMeasurements: dynamic`,
  requests: `${EVERYWHERE}, ${SPAN}, source: string, url: string`,
  dependencies: `${EVERYWHERE}, ${SPAN}, target: string, type: string, data: string`,
  traces: `${EVERYWHERE}, message: string, severityLevel: int, customMeasurements: dynamic`,
};

const COMPONENT = GlobalState.Default.WithDatabase(
  new Symbols.DatabaseSymbol.ctor(
    'component',
    Object.entries(TABLES).map(([name, columns]) => new Symbols.TableSymbol.$ctor7(name, `(${columns})`)),
  ),
);

/** Looked up once each: a look-up goes through all kinds. */
const kinds = new Map<number, string>();
function kindOf({ Kind }: Node): string {
  const kind = kinds.get(Kind) ?? System.Enum.getName(Syntax.SyntaxKind, Kind);
  kinds.set(Kind, kind);
  return kind;
}

function nodesOf(root: Node): Node[] {
  const nodes: Node[] = [];
  Syntax.SyntaxElement.WalkNodes(root, (node) => nodes.push(node));
  return nodes;
}

/** Names and types of the columns that a query answers with. */
export const resultOf = (query: string): Record<string, string> =>
  Object.fromEntries(
    Bridge.toArray<Column>(KustoCode.ParseAndAnalyze(query, COMPONENT).ResultType?.Columns ?? []).map((column) => [
      column.Name,
      column.Type.Name,
    ]),
  );

/**
 * What is wrong with a query: its grammar; tables, columns and functions that do not exist; names, dimensions, measurements, and values of
 * dimensions that nothing recorded has.
 */
export function problemsOf(query: string, recorded: Recorded): string[] {
  const code = KustoCode.ParseAndAnalyze(query, COMPONENT);
  const grammar = Bridge.toArray<{ Message: string }>(code.GetDiagnostics()).map(({ Message }) => Message);
  if (grammar.length > 0) return grammar;
  const pipes = new Map<Node | undefined, Node[]>();
  for (const node of nodesOf(code.Syntax)) {
    const pipe = pipeAround(node);
    pipes.set(pipe, (pipes.get(pipe) ?? []).concat(node));
  }
  return [...pipes].flatMap(([pipe, nodes]) => problemsOfPipe(pipe && sourceOf(pipe), nodes, recorded));
}

/** @param nodes of the pipe, without those of pipes in parentheses inside it. */
function problemsOfPipe(source: string | undefined, nodes: Node[], recorded: Recorded): string[] {
  const bags = nodes.filter((node) => isBag(columnOf(node)));
  const comparisons = nodes.filter((node) => literalsComparedBy(node).length > 0);
  if (source === undefined || !isTable(source))
    return bags.map((bag) => `${bag.toString().trim()} stands in no pipe that begins with a table`);
  const table = recorded[source];
  const wanted = comparisons
    .filter((node) => columnOf(node.Left) === 'name' && isFilter(node))
    .flatMap((node) => literalsComparedBy(node));
  const told = [...table].flatMap(([name, one]) => (wanted.length === 0 || wanted.includes(name) ? [one] : []));
  const names = new Set(table.keys());
  return [
    ...bags.flatMap((bag) => problemsOfBag(bag, told)),
    ...comparisons.flatMap((comparison) => problemsOfComparison(comparison, names, told)),
  ].map((problem) => `${problem} in ${source}${wanted.length > 0 ? ` named ${wanted.join(', ')}` : ''}`);
}

const isTable = (name: string): name is Table => name in TABLES;
const isBag = (name: string | undefined) => name === 'customDimensions' || name === 'customMeasurements';

function problemsOfBag(bag: Node, told: Told[]): string[] {
  const name = columnOf(bag);
  const property = bag.Parent?.Expression === bag ? bag.Parent.Selector?.SimpleName : undefined;
  if (property === undefined) return [`${name} is used as a whole, or by a name that cannot be checked,`];
  const has = ({ dimensions, measurements }: Told) =>
    name === 'customDimensions' ? dimensions.has(property) : measurements.has(property);
  return told.some(has) ? [] : [`${name}.${property} is never told`];
}

function problemsOfComparison(comparison: Node, names: Set<string>, told: Told[]): string[] {
  const subject = comparison.Left && argumentOf(comparison.Left);
  const seen = subject && valuesOf(subject, names, told);
  if (!seen) return [];
  const what = subject.toString().trim();
  if (IN_PART.test(kindOf(comparison))) return [`${what} is compared in part, which cannot be checked,`];
  return literalsComparedBy(comparison)
    .filter((value) => !seen.has(value))
    .map((value) => `${what} is never '${value}'`);
}

/** The values that a column or a dimension was seen to have; undefined of what anybody may type. */
function valuesOf(subject: Node, names: Set<string>, told: Told[]): Set<string> | undefined {
  if (columnOf(subject) === 'name') return names;
  const dimension = columnOf(subject.Expression) === 'customDimensions' ? subject.Selector?.SimpleName : undefined;
  if (dimension === undefined || dimension === 'job') return undefined;
  return new Set(told.flatMap(({ dimensions }) => [...(dimensions.get(dimension) ?? [])]));
}

/** Takes `tostring(x)` for `x`. */
const argumentOf = (node: Node): Node =>
  kindOf(node) === 'FunctionCallExpression' ? (nodesOf(node).find((inner) => inner.Selector) ?? node) : node;

const columnOf = (node: Node | undefined) =>
  node && kindOf(node) === 'NameReference' ? node.ReferencedSymbol?.Name : undefined;

const WHOLE = /^(Not)?(Equal|In|InCs)Expression$|TildeExpression$/;
const IN_PART = /^(Not)?(Has|Contains|StartsWith|EndsWith|MatchesRegex)\w*Expression$/;

const literalsComparedBy = (node: Node): string[] =>
  node.Right && (WHOLE.test(kindOf(node)) || IN_PART.test(kindOf(node)))
    ? nodesOf(node.Right).flatMap((inner) =>
        kindOf(inner) === 'StringLiteralExpression' ? [String(inner.LiteralValue)] : [],
      )
    : [];

function isFilter(node: Node): boolean {
  let around = node.Parent;
  while (around && !kindOf(around).endsWith('Operator')) around = around.Parent;
  return around !== undefined && kindOf(around) === 'FilterOperator';
}

/** The whole pipe that a node stands in: `a | b | c` is parsed as `(a | b) | c`. */
function pipeAround(node: Node): Node | undefined {
  let pipe: Node | undefined = node;
  while (pipe && kindOf(pipe) !== 'PipeExpression') pipe = pipe.Parent;
  while (pipe?.Parent?.Expression === pipe && pipe?.Parent && kindOf(pipe.Parent) === 'PipeExpression')
    pipe = pipe.Parent;
  return pipe;
}

function sourceOf(pipe: Node): string | undefined {
  let start: Node | undefined = pipe;
  while (start && kindOf(start) === 'PipeExpression') start = start.Expression;
  return columnOf(start);
}
