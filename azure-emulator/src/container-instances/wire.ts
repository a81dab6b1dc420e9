/** The parts of the API's types that the emulator looks at; everything else is echoed as it came. */
export interface EnvironmentVariable {
  name: string;
  value?: string;
  secureValue?: string;
}

export interface ContainerBody {
  name: string;
  properties: {
    image: string;
    command?: string[];
    resources: { requests: { cpu: number; memoryInGB: number; gpu?: { count: number; sku: string } } };
    environmentVariables?: EnvironmentVariable[];
    [more: string]: unknown;
  };
}

export interface GroupBody {
  location: string;
  tags?: Record<string, string>;
  identity?: { type: string; userAssignedIdentities?: Record<string, object> };
  zones?: string[];
  properties: {
    containers: ContainerBody[];
    osType: string;
    restartPolicy?: string;
    imageRegistryCredentials?: { server: string; username?: string; password?: string; identity?: string }[];
    [more: string]: unknown;
  };
}

export interface GroupEvent {
  count: number;
  firstTimestamp: string;
  lastTimestamp: string;
  name: string;
  message: string;
  type: 'Normal' | 'Warning';
}

export interface ContainerState {
  state: 'Waiting' | 'Running' | 'Terminated';
  startTime?: string;
  finishTime?: string;
  exitCode?: number;
  detailStatus: string;
}
