/** The parts of the API's types that the emulator looks at; everything else is echoed as it came. */
export interface Variable {
  name: string;
  value?: string;
  secretRef?: string;
}

export interface ContainerBody {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env?: Variable[];
  resources?: { cpu: number; memory: string };
  [more: string]: unknown;
}

/** The body of a start, and the template of an execution. */
export interface ExecutionTemplate {
  containers: ContainerBody[];
}

export interface JobBody {
  location: string;
  tags?: Record<string, string>;
  identity?: object;
  properties: {
    environmentId: string;
    workloadProfileName?: string;
    configuration: {
      triggerType: string;
      replicaTimeout: number;
      secrets?: { name: string; value?: string }[];
      [more: string]: unknown;
    };
    template: { containers: ContainerBody[]; [more: string]: unknown };
  };
}

export type Status = 'Processing' | 'Running' | 'Succeeded' | 'Failed' | 'Stopped';
