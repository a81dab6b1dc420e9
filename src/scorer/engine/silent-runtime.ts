/**
 * Keeps ONNX Runtime from sending telemetry to Microsoft (mobile.events.data.microsoft.com), as its builds for Linux do since 1.30 where
 * this variable is not set, and from keeping a number of the machine in `~/.cache/Microsoft` and files in the working folder. Works only in
 * the main thread, whose environment is that of the process, and before the process makes its first session.
 */
export function silenceRuntime(): void {
  process.env['ORT_DISABLE_TELEMETRY'] = '1';
}
