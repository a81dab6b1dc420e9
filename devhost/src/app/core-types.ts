import type { LogLevel } from '../log.js';

/** A value on its way between host and library: the worker protocol's TypedData. */
export interface TypedData {
  string?: string | null;
  json?: string | null;
  bytes?: Uint8Array | null;
  int?: number | null;
  double?: number | null;
  http?: HttpData | null;
}

type Nullable = Record<string, { value: string }>;

/** An HTTP request or response on its way between host and library. */
export interface HttpData {
  method?: string;
  url?: string;
  nullableHeaders?: Nullable;
  nullableQuery?: Nullable;
  nullableParams?: Nullable;
  body?: TypedData | null;
  statusCode?: string;
  headers?: Record<string, string>;
  cookies?: HttpCookie[];
}

/** A response cookie; `sameSite` is "none" when the app says nothing and "explicitNone" when it says None. */
export interface HttpCookie {
  name: string;
  value: string;
  domain?: { value: string };
  path?: { value: string };
  expires?: { value: { seconds: number } };
  secure?: { value: boolean };
  httpOnly?: { value: boolean };
  sameSite?: 'none' | 'lax' | 'strict' | 'explicitNone';
  maxAge?: { value: number };
}

export interface Binding {
  type: string;
  name: string;
  direction: 'in' | 'out';
  [option: string]: unknown;
}

export interface FunctionMetadata {
  name: string;
  functionId?: string;
  bindings: Record<string, Binding>;
  /** Set where the app asks the host to run a failed function again. */
  retryOptions?: unknown;
}

export type FunctionCallback = (...args: unknown[]) => unknown;

export type LogCategory = 'user' | 'system' | 'customMetric';

export interface NamedData {
  name: string;
  data: TypedData;
}

/** What the library is told about one invocation. */
export interface CoreInvocationContext {
  invocationId: string;
  metadata: FunctionMetadata;
  state: 'preInvocationHooks' | 'invocation' | 'postInvocationHooks' | undefined;
  request: {
    invocationId: string;
    functionId: string;
    inputData: NamedData[];
    triggerMetadata: Record<string, TypedData>;
    traceContext: { traceParent: string; traceState: string; attributes: Record<string, string> };
  };
  log(level: LogLevel, category: LogCategory, message: string): void;
}

export interface InvocationModel {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], handler: FunctionCallback): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<{ returnValue?: TypedData | null }>;
}

export interface ProgrammingModel {
  name: string;
  version: string;
  getInvocationModel(context: CoreInvocationContext): InvocationModel;
  getCapabilities(worker: Record<string, string>): Promise<Record<string, string>>;
}
