/** Ends an instance as Failed; the message becomes part of its output. */
export class OrchestrationFault extends Error {}
